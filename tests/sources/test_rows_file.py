"""Rows of a file of another program: every way of writing them, and every kind of damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlm.errors import DlmError
from dlm.sources.rows_file import RowsFile, read_rows


def rows(folder: Path, data: bytes, name: str = "r", *, lenient: bool = False) -> RowsFile:
    path = folder / name
    path.write_bytes(data)
    return read_rows(path, "report", hint="write it anew", lenient=lenient)


WHERE = {"q": "Wo?", "a": "Über\nuns"}


@pytest.mark.parametrize(
    ("data", "syntax", "lines"),
    [
        (json.dumps([WHERE, WHERE], indent=1).encode(), "json", [2, 6]),
        (json.dumps(WHERE).encode(), "json", [1]),
        (b"\n".join([json.dumps(WHERE).encode()] * 2), "jsonl", [1, 2]),
        (b"\n\n" + b"\r\n\r\n".join([json.dumps(WHERE).encode()] * 2), "jsonl", [3, 5]),
        (b"\n".join([json.dumps(WHERE, indent=1).encode()] * 2), "jsonl", [1, 5]),
        (b"\n".join([json.dumps(WHERE).encode()] * 2) + b"\n\0\0\0", "jsonl", [1, 2]),
        ('q,a\nWo?,"Über\nuns"\n\nWo?,"Über\nuns"'.encode(), "csv", [2, 5]),
        ('\ufeffq;a\r\nWo?;"Über\nuns"\r\n'.encode(), "csv", [2]),
        ('sep=;\r\nq;a\r\nWo?;"Über\nuns"\r\n'.encode(), "csv", [3]),
        ('\ufeffq\ta\r\nWo?\t"Über\nuns"\r\n'.encode("utf-16-le"), "csv", [2]),
        ('\ufeffq\ta\r\nWo?\t"Über\nuns"\r\n'.encode("utf-16-be"), "csv", [2]),
        ('q;a\r\nWo?;"Über\nuns"\r\n'.encode("cp1252"), "csv", [2]),
    ],
)
def test_the_same_rows_in_every_syntax(
    tmp_path: Path, data: bytes, syntax: str, lines: list[int]
) -> None:
    file = rows(tmp_path, data)
    assert (file.syntax, file.rows) == (syntax, [(line, WHERE) for line in lines])


def test_yaml_is_told_by_its_name(tmp_path: Path) -> None:
    file = rows(tmp_path, b"results:\n- {q: 1}\n", "r.yaml")
    assert (file.syntax, file.whole) == ("yaml", {"results": [{"q": 1}]})


def test_columns_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    file = rows(tmp_path, b"q,Status,Status,Status\nx,1,2\n")
    assert file.header == ("q", "Status", "Status", "Status")
    assert file.rows == [(2, {"q": "x", "Status": "1", "Status:2": "2", "Status:3": ""})]


def test_nan_is_no_value(tmp_path: Path) -> None:
    assert rows(tmp_path, b'{"a": NaN, "b": -Infinity}').whole == {"a": None, "b": None}


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b" \n", 1, "this report is empty"),
        (b"[]", 1, "this report holds nothing"),
        (b"q,a\n", 1, "this report holds nothing"),
        (b"hello\nthere", 1, "neither JSON nor a table"),
        (b'{"a": 1}\n{"a":', 2, "this line is not JSON"),
        (b'{"a": 1}\n{"a": "\0"}', 2, "NUL"),
        (b'{"a": 1}\n{"a": 1, "a": 2}', 2, "the key 'a' stands twice"),
        (b'[{"a": 1},\n{"a"', 2, "not JSON"),
        (b'[{"a": 1}\n{"a": 2}]', 2, "a comma is missing"),
        (b'[{"a": 1},\n', 2, "the list does not end"),
        (b'[\n{"a": 1}]\n]', 3, "something follows the list"),
        (b"[" * 100_000, 1, "too deep"),
        (b'{"a":' * 100_000, 1, "too deep"),
        (b'{"a": ' + b"9" * 9999 + b"}", 1, "a number too long"),
        (b'q,a\nx,"y\n', 2, "not CSV"),
        (b"q,a\nx,y,z\n", 2, "this row has 3 cells, and the header 2"),
        (b"ok\n\xff", 2, "not UTF-8"),
        (b'{"a":\n"\xff"}', 2, "not UTF-8"),
        (b"\x1f\x8b\x08", 1, "packed with gzip"),
        (b"PK\x03\x04", 1, "a zip archive or a workbook"),
    ],
)
def test_damage_is_one_sentence_with_its_line(
    tmp_path: Path, data: bytes, line: int, says: str
) -> None:
    with pytest.raises(DlmError) as caught:
        rows(tmp_path, data)
    assert str(caught.value).startswith(f"{tmp_path / 'r'}:{line}: ")
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("data", "good", "bad"),
    [
        (b'{"a": 1}\n{"a":\n{"a": 2}', [1, 3], [2]),
        (b'{"a":\n{"a": 2}', [2], [1]),
        (b'{"a": 1}\n{"a"', [1], [2]),
    ],
)
def test_a_lenient_reader_names_the_broken_lines(
    tmp_path: Path, data: bytes, good: list[int], bad: list[int]
) -> None:
    file = rows(tmp_path, data, lenient=True)
    assert [line for line, _ in file.rows] == good
    assert [line for line, _ in file.broken] == bad


@pytest.mark.parametrize(
    ("keys", "line"),
    [((), 2), (("a",), 3), (("b", 1), 6), (("b", 1, "c"), 7), (("b", 9), 4), (("z",), 2)],
)
def test_the_line_of_a_value(tmp_path: Path, keys: tuple[Any, ...], line: int) -> None:
    file = rows(tmp_path, b'\n{\n"a": 1,\n"b": [\n{"x": "]}"},\n{\n"c": 2}\n]}')
    assert file.line_of(*keys) == line
