"""The command line: names and options only. Each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; every expected failure is one sentence and a hint on standard error."""
    if sys.argv[1:] == ["--version"]:
        from dlm import __version__

        print(f"dlm {__version__}")
        return
    from dlm.cli.commands import app
    from dlm.errors import DlmError

    try:
        app()
    except DlmError as error:
        _say(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("error: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`dlm show | head`); there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _say(error: Exception) -> None:
    print(f"error: {error}", file=sys.stderr)
    hint = getattr(error, "hint", None)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


if __name__ == "__main__":
    main()
