"""Text that others wrote, shown on a terminal: nothing in it can act on the terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

from dlm.errors import UsageError

# Everything that moves the cursor, reorders a line or is no character at all.
_ACTS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_COLOURS: Final = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_PLAIN: Final = "\x1b[0m"


def shown(text: str) -> str:
    """The text with what would act on a terminal written out, as in `\\x1b`."""
    return _ACTS.sub(_written_out, text.replace("\r\n", "\n"))


def plain(text: str) -> str:
    """The text with halves of characters replaced, which no output can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def one_line(text: str, width: int = 72) -> str:
    """The text on one line of at most `width` characters."""
    line = shown(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 1]}…"


def print_diff(diff: str) -> None:
    """A diff on standard output: coloured and made safe on a terminal, otherwise as it is."""
    if not sys.stdout.isatty():
        sys.stdout.write(diff)
        return
    for line in shown(diff).split("\n")[:-1]:
        colour = "" if line.startswith(("+++", "---")) else _COLOURS.get(line[:1], "")
        print(painted(line, colour))


def painted(line: str, colour: str) -> str:
    """The line in a colour, unless NO_COLOR asks for none."""
    if not colour or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return line
    return f"{colour}{line}{_PLAIN}"


def green(line: str) -> str:
    return painted(line, _COLOURS["+"])


def require_terminal(what: str, hint: str) -> None:
    """Refuse what asks questions when there is nobody to answer."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"{what} asks questions, and this is not a terminal", hint=hint)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
