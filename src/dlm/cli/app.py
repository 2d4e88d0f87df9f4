"""The command line: names and options only. Each command imports what it needs when it runs."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from dlm.launch import launch

if TYPE_CHECKING:
    from typer import Typer

_SELDOM: Final = 20_000
_LOADING: Final = 100_000  # a short command makes fewer objects
_PLAIN: Final[dict[str, Any]] = {"pretty_exceptions_short": False, "rich_markup_mode": None}


def main() -> None:
    """Run the command line; every expected failure is one sentence and a hint on standard error.

    Of several processes that train together only the first one speaks, unless it died.
    """
    _collect_seldom()
    here = launch()
    from dlm.errors import Abandoned, DlmError

    try:
        if here.several:
            from dlm.cli.several import in_company

            with in_company(here, sys.argv[1:]):
                _run()
        else:
            _run()
    except DlmError as error:
        if here.leads or isinstance(error, Abandoned):
            _say(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("error: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`dlm show | head`); there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _collect_seldom() -> None:
    """Spare a short command the collector, which takes a sixth of its time.

    What modules make as they load is no garbage, nor worth looking through when the process ends.
    """
    gc.set_threshold(_LOADING)
    gc.callbacks.append(_after_loading)
    atexit.register(_leave_uncollected)


def _after_loading(phase: str, info: dict[str, int]) -> None:
    """From the first collection on, what goes on for long is looked through more often."""
    gc.callbacks.remove(_after_loading)
    gc.set_threshold(_SELDOM)


def _leave_uncollected() -> None:
    """Not after torch: what it loads writes to the screen of all that was not collected."""
    if "torch" not in sys.modules:
        gc.freeze()


def _run() -> None:
    if sys.argv[1:] == ["--version"]:
        from dlm import __version__

        print(f"dlm {__version__}")
        return
    if sys.argv[-1:] in (["--help"], ["-h"]) and _print_help(sys.argv[1:-1]):
        return
    from dlm.cli.commands import COMPLETION, command_line

    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    if COMPLETION in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
        words = []  # any may be asked for
    command_line(*words[:2])(prog_name="dlm")


def _print_help(words: list[str]) -> bool:
    """Print the help of the command that the words name; False when they name none.

    Typer would build every command and load what reads their values before it prints one of them.
    """
    from typer import Context
    from typer.core import TyperGroup
    from typer.main import get_command, get_command_from_info, get_group_from_info

    from dlm.cli.commands import command_line, name_of, names_alone

    app = here = command_line(words[0]) if words else names_alone()
    context = None
    command: Any = TyperGroup(name="dlm") if words else get_command(app)
    for depth, name in enumerate(("dlm", *words)):
        if depth:
            groups = {info.name: info for info in here.registered_groups}
            leaves = {name_of(info): info for info in here.registered_commands}
            if name in groups:
                here = groups[name].typer_instance or app
                if depth == len(words):
                    _without_options(here)
                command = get_group_from_info(groups[name], **_PLAIN, suggest_commands=True)
            elif name in leaves and depth == len(words):
                command = get_command_from_info(leaves[name], **_PLAIN)
            else:
                return False
        settings: dict[str, Any] = app.info.context_settings or {}
        context = Context(command, info_name=name, parent=context, **settings)
    assert context is not None
    print(command.get_help(context))
    return True


def _without_options(app: Typer) -> Typer:
    """The group with commands of which only the names and the first sentence are left."""
    for info in app.registered_commands:
        if info.callback is not None:

            def stand_in() -> None:
                """A command in a list of commands."""

            stand_in.__name__, stand_in.__doc__ = info.callback.__name__, info.callback.__doc__
            info.callback = stand_in
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _without_options(group.typer_instance)
    return app


def _say(error: Exception) -> None:
    print(f"error: {error}", file=sys.stderr)
    hint = getattr(error, "hint", None)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


if __name__ == "__main__":
    main()
