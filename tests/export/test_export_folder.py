"""The folder of an export is there whole or as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlm.errors import DlmError
from dlm.export import folder as folders
from dlm.export.folder import new_folder, read_manifest, write_manifest


def export(out: Path, text: str) -> None:
    with new_folder(out) as folder:
        (folder / "weights").write_text(text, encoding="utf-8")
        write_manifest(folder, {"text": text})


def test_a_new_one_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    export(tmp_path / "out", "one")
    export(tmp_path / "out", "two")
    manifest = read_manifest(tmp_path / "out")
    assert manifest is not None
    assert manifest["text"] == "two"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_it_does_so_where_two_folders_cannot_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    export(tmp_path / "out", "one")
    export(tmp_path / "out", "two")
    assert (tmp_path / "out" / "weights").read_text(encoding="utf-8") == "two"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_one_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    export(tmp_path / "out", "one")

    def fail() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "weights").write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "out" / "weights").read_text(encoding="utf-8") == "one"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_one_that_is_killed_leaves_the_old_one_and_is_swept_later(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(out, "one")
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from dlm.export.folder import new_folder\n"
        "with new_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'weights').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, out], check=False)
    assert killed.returncode == -9
    assert (out / "weights").read_text(encoding="utf-8") == "one"
    (left,) = (one for one in tmp_path.iterdir() if one.name != "out")
    os.utime(left, (0, 0))
    export(out, "two")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_anything_else_is_refused_before_and_after(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def meanwhile() -> None:
        with new_folder(out):
            out.mkdir()
            (out / "mine").write_text("mine", encoding="utf-8")

    with pytest.raises(DlmError, match="is no export of dlm"):
        meanwhile()
    assert [one.name for one in out.iterdir()] == ["mine"]
    with pytest.raises(DlmError, match="is no export of dlm"):
        export(out, "one")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(tmp_path / "out", "one")
    assert (tmp_path / "out" / "weights").exists()
