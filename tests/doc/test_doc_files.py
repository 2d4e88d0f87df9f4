"""Documents on disk: whatever lies under a name, the answer is a document or a sentence."""

from __future__ import annotations

import codecs
import hashlib
import os
from pathlib import Path

import pytest
from strategies import DLM_ID

from dlm.doc.parser import parse_bytes, parse_file, parse_text
from dlm.errors import DocumentError

HEAD = f"---\ndlm_id: {DLM_ID}\nbase_model: pocket # x  \n---\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        f"\ufeff{HEAD}\ufeff no final newline",
        HEAD.replace("\n", "\r\n") + "\r\n\r\nText \r with \x0c and \u2028.  \r\n",
        f"{HEAD}\n::instruction::\n### Q\na\n### A\nb\n:: \n\n\n",
    ],
)
def test_a_document_is_the_bytes_that_were_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.dlm"
    path.write_bytes(text.encode())
    document = parse_file(path)
    assert document.text == text
    assert document.to_bytes() == path.read_bytes()
    assert document.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert document.path == path
    assert document.newline == ("\r\n" if "\r\n" in text else "\n")
    assert parse_file(str(path)).text == text


def refusal(path: Path) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        parse_file(path)
    assert caught.value.hint
    return caught.value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.dlm"
    assert str(refusal(path)) == f"there is no file {path}"


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    assert str(refusal(tmp_path)) == f"{tmp_path} is a folder"


def test_a_pipe_is_no_document(tmp_path: Path) -> None:
    path = tmp_path / "pipe.dlm"
    os.mkfifo(path)
    assert str(refusal(path)) == f"{path} is not a regular file"


def test_a_file_in_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "notes.dlm").write_bytes(b"x")
    assert "cannot read" in str(refusal(tmp_path / "notes.dlm" / "inner.dlm"))


def test_a_name_that_no_file_can_have_is_refused() -> None:
    assert "cannot read" in str(refusal(Path("a\0b.dlm")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_of_somebody_else_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.dlm"
    path.write_text(HEAD, encoding="utf-8")
    path.chmod(0)
    assert "cannot read" in str(refusal(path))


def test_an_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.dlm"
    path.touch()
    assert str(refusal(path)) == f"{path}:1:1: the file is empty"


@pytest.mark.parametrize(
    ("before", "place"),
    [(b"", "1:1"), (b"\xef\xbb\xbfab", "1:3"), ("äö\n  é".encode(), "2:4"), (b"a\r\n", "2:1")],
)
def test_a_byte_that_is_not_utf_8_has_a_place(before: bytes, place: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.dlm"
    path.write_bytes(before + b"\xe9 and more")
    assert str(refusal(path)) == f"{path}:{place}: the byte 0xe9 is not UTF-8"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("UTF-16-LE", codecs.BOM_UTF16_LE),
        ("UTF-16-BE", codecs.BOM_UTF16_BE),
        ("UTF-32-LE", codecs.BOM_UTF32_LE),
        ("UTF-32-BE", codecs.BOM_UTF32_BE),
    ],
)
def test_another_encoding_is_named(encoding: str, mark: bytes) -> None:
    with pytest.raises(DocumentError, match=f"the file is {encoding[:6]}, and a document is UTF-8"):
        parse_bytes(mark + HEAD.encode(encoding))


def test_a_place_names_the_path() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_text(f"{HEAD}\n::instrution::\n", path=Path("notes.dlm"))
    assert str(caught.value) == "notes.dlm:6:1: '::instrution::' is not a section type"


def test_a_byte_order_mark_takes_no_column() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_text("\ufeff# Notes")
    assert str(caught.value).startswith("<text>:1:1: ")
