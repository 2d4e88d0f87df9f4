"""The text of a report file, JSON in it, and errors that name its line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlm.errors import DlmError
from dlm.loops.foreign import text_of_file


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report as it was read: its name for messages, and its text."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> ReportFile:
        """Raises DlmError when the file is missing, unreadable, or not UTF-8."""
        return cls(
            path, text_of_file(path, "report", hint="name the file that the evaluation tool wrote")
        )

    def malformed(self, line: int, what: str) -> DlmError:
        """The error of a report that cannot be what it claims to be."""
        return DlmError(
            f"{self.path}:{line}: {what}",
            hint="write the report anew; --format says which format to read it as",
        )

    def json(self) -> Any:
        """The whole text as one JSON value."""
        return self._decode(self.text, 1)

    def json_lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each line that is not blank, as a JSON object, with its number."""
        for number, line in enumerate(self.text.split("\n"), 1):
            if not line.strip():
                continue
            value = self._decode(line, number)
            if not isinstance(value, dict):
                raise self.malformed(number, "this line is not a JSON object")
            yield number, value

    def line_of(self, *keys: str | int) -> int:
        """The line of the value at these keys of a JSON text; the nearest one that there is."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

        try:
            node: Node | None = YAML(typ="rt", pure=True).compose(self.text)  # JSON is YAML
        except (YAMLError, RecursionError):
            return 1
        for key in keys:
            inner: Node | None = None
            if isinstance(node, MappingNode):
                inner = next((value for name, value in node.value if name.value == key), None)
            elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
                inner = node.value[key]
            if inner is None:
                break
            node = inner
        return 1 if node is None else int(node.start_mark.line) + 1

    def _decode(self, text: str, first_line: int) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            line = first_line + error.lineno - 1
            what = f"this is not JSON: {error.msg} (column {error.colno})"
            raise self.malformed(line, what) from error
        except (RecursionError, ValueError) as error:
            raise self.malformed(
                first_line, "this JSON is too deep, or holds a number too long"
            ) from (error)


def text_of(value: object) -> str | None:
    """A text that says something, without the white space around it; None for anything else."""
    return value.strip() if isinstance(value, str) and value.strip() else None


def number_of(value: object) -> float | None:
    """A finite number; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def numbers(values: dict[str, Any], *names: str) -> dict[str, float]:
    """Those of the named values that are numbers."""
    found = {name: number_of(values.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}
