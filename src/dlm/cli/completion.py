"""Completing words of the command line in a shell: the machinery of typer, when it is wanted."""

from __future__ import annotations

from typing import Final

from dlm.errors import UsageError

VARIABLE: Final = "_DLM_COMPLETE"  # set by the script when it asks for words
_SHELLS: Final = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The lines that make `shell` complete the words of `dlm`; UsageError for another shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in _SHELLS:
        raise UsageError(f"there is no completion for {shell!r}", hint="it is bash, zsh or fish")
    return str(get_completion_script(prog_name="dlm", complete_var=VARIABLE, shell=shell))


def prepare() -> None:
    """Let the command line answer a shell that asks for words."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
