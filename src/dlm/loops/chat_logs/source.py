"""The text of a chat log, and the JSON values in it with their lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError
from dlm.loops.foreign import text_of_file

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


@dataclass(slots=True)
class LogFile:
    """A chat log as it was read; `broken` grows with the lines that cannot be used, and why."""

    path: Path
    text: str
    broken: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> LogFile:
        """Raises DlmError when the file is missing, unreadable, or not UTF-8."""
        return cls(
            path, text_of_file(path, "chat log", hint="name the file that the chat tool exported")
        )

    def items(self) -> list[tuple[int, Any]]:
        """The JSON values: the elements of one list, or the lines of JSONL, with their lines.

        A line of JSONL that is broken is named and left out. Raises DlmError for broken JSON of
        any other kind, and for a file without anything.
        """
        start = self._skip(0)
        if start == len(self.text):
            raise DlmError(f"{self.path}:1: this chat log is empty")
        if self.text[start] == "[":
            return list(self._elements(start + 1))
        try:
            value, end = _DECODER.raw_decode(self.text, start)
        except (ValueError, RecursionError):
            end = -1
        if end > 0 and self._skip(end) == len(self.text):
            return [(self._line(start), value)]
        return list(self._lines())

    def name(self, line: int, what: str) -> None:
        """Note a part of the log that cannot be used."""
        self.broken.append((line, what))

    @property
    def malformed(self) -> tuple[str, ...]:
        """What cannot be used, each with file and line."""
        return tuple(f"{self.path.name}:{line}: {what}" for line, what in sorted(self.broken))

    def error(self, line: int, what: str) -> DlmError:
        return DlmError(
            f"{self.path}:{line}: {what}",
            hint="--format says which format to read it as; export the log anew if it is damaged",
        )

    def _elements(self, at: int) -> Iterator[tuple[int, Any]]:
        at = self._skip(at)
        while at < len(self.text) and self.text[at] != "]":
            try:
                value, end = _DECODER.raw_decode(self.text, at)
            except (ValueError, RecursionError) as error:
                place = error.pos if isinstance(error, json.JSONDecodeError) else at
                raise self.error(self._line(place), f"this is not JSON: {_why(error)}") from error
            yield self._line(at), value
            at = self._skip(end)
            if at < len(self.text) and self.text[at] == ",":
                at = self._skip(at + 1)
            elif at < len(self.text) and self.text[at] != "]":
                raise self.error(self._line(at), "this is not JSON: a comma is missing")
        if at == len(self.text):
            raise self.error(self._line(at), "this is not JSON: the list does not end")

    def _lines(self) -> Iterator[tuple[int, Any]]:
        read = 0
        for number, line in enumerate(self.text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
                read += 1
            except (ValueError, RecursionError) as error:
                self.name(number, f"this line is not JSON: {_why(error)}")
        if not read:
            raise self.error(*self.broken[0])

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        assert found is not None
        return found.end()

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1


def _why(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "too deep or too long a number"
