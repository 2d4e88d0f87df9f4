"""Replacing a file that others save at the same moment."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from dlm.errors import EditConflict
from dlm.files import exchange, sweep_folders, write_atomic

LINUX = pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="files are not exchanged"
)


@LINUX
def test_two_files_change_their_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    assert exchange(one, other)
    assert (one.read_text(), other.read_text()) == ("2", "1")
    with pytest.raises(FileNotFoundError):
        exchange(one, tmp_path / "none")


def test_a_file_that_is_not_the_expected_one_is_left(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("typed")
    with pytest.raises(EditConflict, match="changed meanwhile"):
        write_atomic(path, b"ours", expected=b"older")
    assert path.read_text() == "typed"
    write_atomic(path, b"ours", expected=b"typed")
    assert path.read_text() == "ours"
    path.unlink()
    with pytest.raises(EditConflict):
        write_atomic(path, b"ours", expected=b"ours")
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


@LINUX
def test_a_save_at_the_last_moment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes"
    path.write_text("before")
    times = iter(range(3))

    def after_a_save(one: Path, other: Path) -> bool:
        if next(times) == 0:  # between the look and the leap
            saved = tmp_path / "saved"
            saved.write_text("typed")
            saved.replace(path)
        return exchange(one, other)

    monkeypatch.setattr("dlm.files.exchange", after_a_save)
    with pytest.raises(EditConflict):
        write_atomic(path, b"ours", expected=b"before")
    assert path.read_text() == "typed"
    assert list(tmp_path.iterdir()) == [path]


@LINUX
def test_a_save_at_any_moment_is_never_lost(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    together = threading.Barrier(2)
    rounds = 150

    def edit() -> None:
        for number in range(rounds):
            other = tmp_path / "saved"
            other.write_bytes(b"saved %d" % number)
            together.wait()
            time.sleep(number % 30 / 20_000)
            other.replace(path)
            together.wait()

    thread = threading.Thread(target=edit)
    thread.start()
    refused = 0
    for number in range(rounds):
        path.write_bytes(b"before")
        together.wait()
        try:
            write_atomic(path, b"ours", expected=b"before")
        except EditConflict:
            refused += 1
        together.wait()
        assert path.read_bytes() == b"saved %d" % number
    thread.join()
    assert refused > 0


def test_only_old_unfinished_folders_of_a_name_are_swept(tmp_path: Path) -> None:
    names = (".out[1].aa.tmp", ".out[1].bb.tmp", ".out1.aa.tmp", "out[1]")
    old, young, other, done = (tmp_path / name for name in names)
    for folder in (old, young, other, done):
        folder.mkdir()
    long_ago = time.time() - 7200
    for folder in (old, other, done):
        os.utime(folder, (long_ago, long_ago))
    sweep_folders(tmp_path, "out[1]")
    assert sorted(tmp_path.iterdir()) == sorted((young, other, done))
