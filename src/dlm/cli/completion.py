"""`dlm completion`: what makes a shell complete commands and files."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli.commands import COMPLETION
from dlm.errors import UsageError


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script that completes commands in a shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in ("bash", "zsh", "fish"):
        raise UsageError(f"there is no completion for {shell!r}", hint="it is bash, zsh or fish")
    print(get_completion_script(prog_name="dlm", complete_var=COMPLETION, shell=shell))
