"""Rows of a file that another program wrote: JSON, JSONL, CSV or YAML, each row with its line.

Knows how such files are written and damaged; what their rows mean is for the readers above.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError

Rows = list[tuple[int, Any]]

_LARGEST: Final = 2**30  # bytes
_LARGEST_YAML: Final = 2**25
_YAML: Final = re.compile(r"(?:---\s*\n)?(?:evalId|results|config|probes):\s")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NOT_TEXT: Final = {
    b"\x1f\x8b": "it is packed with gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "it is packed with zstd: unpack it first",
    b"PK\x03\x04": "it is a zip archive or a workbook: unpack it, or save the sheet as CSV",
    b"PAR1": "it is a Parquet file: write it as JSONL first",
    b"SQLite format 3": "it is a SQLite database: export what it holds as JSON first",
    b"%PDF": "it is a PDF",
    b"\x89PNG": "it is a picture",
}


@dataclass(slots=True)
class RowsFile:
    """A file as it was read.

    `rows` are the elements of its JSON list, its JSON values, or the records of its table, each
    with the line it begins at. A record is a dict of texts in the order of `header`; a column whose
    name stands there before is called `name:2`, `name:3`. NaN and Infinity are read as null.
    `broken` grows with the rows that cannot be used, and why; `notes` say how the text was read.
    """

    path: Path
    text: str = field(repr=False)
    hint: str
    syntax: str = "json"  # json (one value) · jsonl · csv · yaml
    rows: Rows = field(default_factory=list)
    header: tuple[str, ...] = ()
    broken: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> Any:
        """The one value of a JSON or YAML file that is no list; None for any other file."""
        return self.rows[0][1] if self.syntax in ("json", "yaml") and len(self.rows) == 1 else None

    @property
    def malformed(self) -> tuple[str, ...]:
        """What cannot be used, each with file and line."""
        return tuple(f"{self.path.name}:{line}: {what}" for line, what in sorted(self.broken))

    def name(self, line: int, what: str) -> None:
        """Note a part of the file that cannot be used."""
        self.broken.append((line, what))

    def error(self, line: int, what: str) -> DlmError:
        """The error of a file that cannot be what it claims to be."""
        return DlmError(f"{self.path}:{line}: {what}", hint=self.hint)

    def line_of(self, *keys: str | int) -> int:
        """The line of the value at these keys of a JSON text; the nearest one that there is."""
        at = _skip(self.text, 0)
        for key in keys:
            inner = _inside(self.text, at, key)
            if inner is None:
                break
            at = inner
        return _line(self.text, at)


def read_rows(path: Path, kind: str, *, hint: str, lenient: bool = False) -> RowsFile:
    """The rows of the file at `path`, a `kind` for messages; `hint` ends those of a damaged file.

    With `lenient`, a broken line of JSONL is noted in `broken` and left out. Raises DlmError with
    file and line for anything else that is damaged, and for a file without rows.
    """
    file = RowsFile(path, "", hint)
    try:
        _decode(file, kind)
        _parse(file, kind, lenient=lenient)
    except MemoryError as error:
        raise file.error(1, f"this {kind} is too large for the memory of this machine") from error
    if not file.rows:
        raise file.error(*(file.broken or [(1, f"this {kind} holds nothing")])[0])
    return file


def _decode(file: RowsFile, kind: str) -> None:
    """The text of the bytes: UTF-8, UTF-16, or Windows-1252 where that is a table."""
    try:
        if file.path.stat().st_size > _LARGEST:
            raise file.error(1, f"this {kind} has more than a gigabyte: split it")
        data = file.path.read_bytes()
    except FileNotFoundError as error:
        raise DlmError(f"there is no {kind} {file.path}", hint="check its path") from error
    except IsADirectoryError as error:
        raise DlmError(f"{file.path} is a folder", hint=f"name the {kind} in it") from error
    except OSError as error:
        raise DlmError(f"{file.path} cannot be read: {error.strerror}") from error
    for magic, what in _NOT_TEXT.items():
        if data.startswith(magic):
            raise file.error(1, f"this {kind} is no text: {what}")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    half = not wide and re.match(rb"(?:[^\0]\0)+\Z", data[:40]) is not None  # UTF-16, no mark
    try:
        file.text = data.decode("utf-16" if wide else "utf-16-le" if half else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = None if wide else _windows(data)
        if text is None:
            name = "UTF-16" if wide else "UTF-8"
            raise file.error(line, f"this is not {name} text") from error
        file.text = text
        file.notes.append(f"{file.path.name}:{line}: this is not UTF-8; read as Windows-1252")
    file.text = file.text.lstrip("\ufeff").rstrip("\0")  # a crash leaves zeros at the end
    if (at := file.text.find("\0")) >= 0:
        raise file.error(_line(file.text, at), "there is a NUL byte in this text")


def _windows(data: bytes) -> str | None:
    """The text of a table that Excel saved for Western Europe; None for anything else."""
    if data.lstrip()[:1] in (b"{", b"["):
        return None
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    return text if len(_header(text)[1]) > 1 else None


def _parse(file: RowsFile, kind: str, *, lenient: bool) -> None:
    text = file.text
    start = _skip(text, 0)
    if start == len(text):
        raise file.error(1, f"this {kind} is empty")
    suffix = file.path.suffix.lower()
    if text[start] == "<":
        raise file.error(1, f"this {kind} is HTML or XML: export it as JSON, JSONL or CSV")
    if text[start] not in "{[" and (suffix in (".yaml", ".yml") or _YAML.match(text)):
        file.syntax = "yaml"
        file.rows = _yaml(file)
    elif text[start] not in "{[" or (suffix in (".csv", ".tsv") and _is_header(text)):
        file.syntax = "csv"
        file.rows = _table(file)
    elif (lines := _lines(file, lenient=lenient)) is not None:
        file.syntax = "jsonl"
        file.rows = lines
    else:
        file.rows = list(_elements(file, start) if text[start] == "[" else _values(file, start))
        if len(file.rows) > 1 and text[start] == "{":
            file.syntax = "jsonl"


def _is_header(text: str) -> bool:
    """Whether a text that begins as JSON does is a table: its first line alone is no list."""
    try:
        json.loads(text.split("\n", 1)[0].rstrip().rstrip(","))
    except (ValueError, RecursionError):
        return len(_header(text)[1]) > 1
    return False


# JSON


class _Twice(ValueError):
    """A key that an object has twice, so that nobody knows which is meant."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"the key {twice!r} stands twice in one object")
    return found


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _: None)


def _lines(file: RowsFile, *, lenient: bool) -> Rows | None:
    """The values of JSONL; None where the first line alone is no value, or is the only one."""
    lines = [(n, line) for n, line in enumerate(file.text.split("\n"), 1) if line.strip()]
    broken: list[tuple[int, str]] = []
    rows: Rows = []
    for number, line in lines if len(lines) > 1 else ():
        try:
            rows.append((number, _DECODER.decode(line)))
        except (ValueError, RecursionError) as error:
            if not rows and not (lenient and _is_record(line, lines[-1][1])):
                return None
            broken.append((number, f"this line is not JSON: {_why(error)}"))
            if not lenient:
                raise file.error(*broken[0]) from error
    file.broken += broken
    return rows or None


def _is_record(broken: str, other: str) -> bool:
    """Whether a first line that is no JSON is a damaged record, told by one that is whole."""
    try:
        return len(broken.strip()) > 1 and isinstance(_DECODER.decode(other), dict)
    except (ValueError, RecursionError):
        return False


def _values(file: RowsFile, at: int) -> Iterator[tuple[int, Any]]:
    """One value after the other, each over as many lines as it likes."""
    line, counted = 1, 0
    while at < len(file.text):
        line, counted = line + file.text.count("\n", counted, at), at
        value, end = _value(file, at)
        yield line, value
        at = _skip(file.text, end)


def _elements(file: RowsFile, at: int) -> Iterator[tuple[int, Any]]:
    """The elements of the list that opens at `at`."""
    text = file.text
    line, counted = 1, 0
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        value, end = _value(file, at)
        yield line, value
        at = _skip(text, end)
        if at < len(text) and text[at] == ",":
            at = _skip(text, at + 1)
        elif at < len(text) and text[at] != "]":
            raise file.error(_line(text, at), "this is not JSON: a comma is missing")
    if at == len(text):
        raise file.error(_line(text, at), "this is not JSON: the list does not end")
    if (after := _skip(text, at + 1)) < len(text):
        raise file.error(_line(text, after), "this is not JSON: something follows the list")


def _value(file: RowsFile, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(file.text, at)
    except (ValueError, RecursionError) as error:
        place = error.pos if isinstance(error, json.JSONDecodeError) else at
        what = f"this is not JSON: {_why(error)}"
        raise file.error(_line(file.text, place), what) from error


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (column {error.colno})"
    return str(error) if isinstance(error, _Twice) else "too deep, or a number too long"


def _inside(text: str, at: int, key: str | int) -> int | None:
    """Where the value of `key` begins in the object or list at `at`."""
    if text[at : at + 1] != ("[" if isinstance(key, int) else "{"):
        return None
    at, index = _skip(text, at + 1), 0
    try:
        while text[at] not in "]}":
            name: object = index
            if isinstance(key, str):
                name, at = _DECODER.raw_decode(text, at)
                at = _skip(text, _skip(text, at) + 1)
            if name == key:
                return at
            _, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            at = _skip(text, at + 1) if text[at] == "," else at
            index += 1
    except (ValueError, IndexError, RecursionError):
        return None
    return None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


# Tables


def _table(file: RowsFile) -> Rows:
    csv.field_size_limit(2**27)
    delimiter, header, skipped = _header(file.text)
    if len(header) < 2:
        raise file.error(1, "this is neither JSON nor a table with a line of column names")
    names: list[str] = []
    for title in header:
        again = sum(name == title or name.startswith(f"{title}:") for name in names)
        names.append(f"{title}:{again + 1}" if again else title)
    file.header = tuple(header)
    lines = io.StringIO(file.text, newline="")
    lines.seek(skipped)
    before = file.text.count("\n", 0, skipped)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: Rows = []
    line = before
    try:
        for cells in reader:
            if line > before and any(cell.strip() for cell in cells):
                if any(cell.strip() for cell in cells[len(names) :]):
                    raise file.error(
                        line + 1, f"this row has {len(cells)} cells, and the header {len(names)}"
                    )
                cells += [""] * (len(names) - len(cells))
                rows.append((line + 1, dict(zip(names, cells, strict=False))))
            line = before + reader.line_num
    except csv.Error as error:
        raise file.error(line + 1, f"this is not CSV: {error}") from error
    return rows


def _header(text: str) -> tuple[str, list[str], int]:
    """What separates the columns, their names, and where the table begins after Excel's `sep=`."""
    start = 0
    if said := re.match(r"sep=(.)\r?\n", text):
        start = said.end()
    best = ("", [""])
    for delimiter in [said[1]] if said else list(",;\t"):
        lines = io.StringIO(text[start : start + 2**20], newline="")
        try:
            cells = next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error:
            continue
        if len(cells) > len(best[1]):
            best = (delimiter, [cell.strip() for cell in cells])
    return best[0], best[1], start


def _yaml(file: RowsFile) -> Rows:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(file.text) > _LARGEST_YAML:
        raise file.error(1, "this YAML has more than 32 megabytes: write it as JSON")
    try:
        data = YAML(typ="safe", pure=True).load(file.text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line = int(mark.line) + 1 if mark else 1
        why = str(error).strip().split("\n", 1)[0] or "too deep"
        raise file.error(line, f"this is not YAML: {why}") from error
    if not isinstance(data, dict | list):
        raise file.error(1, "this YAML is neither a list nor an object")
    return [(1, value) for value in data] if isinstance(data, list) else [(1, data)]
