"""Packing, verifying and unpacking what is in order."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from boats import DLM_ID, TEXT, add_version, quiet

from dlm.doc.parser import parse_file
from dlm.errors import CorruptStore, DlmError, EditConflict, LockHeld, StoreError
from dlm.pack.reading import Pack
from dlm.pack.unpacking import unpack
from dlm.pack.writing import pack
from dlm.store.paths import for_dlm
from dlm.store.store import Store


def digests() -> dict[str, str]:
    with Store.open(DLM_ID) as store:
        return {one.name: one.sha256 for one in store.versions()}


def test_what_is_unpacked_elsewhere_is_what_was_packed(
    boat: Path, packed: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = unpack(packed, elsewhere / "notes", quiet)
    assert done.document.read_bytes() == boat.read_bytes()
    assert done.versions == ("v0001", "v0002")
    with Store.open(DLM_ID) as store:
        assert not store.notices
        assert [one.name for one in store.versions()] == ["v0001", "v0002"]
        for version in store.versions():
            store.verify(version)
        current = store.current()
        assert current is not None
        assert store.run_of(current).run_id == "run-2"
    assert sorted(one.name for one in (elsewhere / "store").iterdir()) == [DLM_ID]


def test_the_same_document_and_store_give_the_same_bytes(boat: Path, packed: Path) -> None:
    before = packed.read_bytes()
    pack(parse_file(boat), packed, quiet)
    assert packed.read_bytes() == before


def test_unpacking_again_changes_nothing(packed: Path, elsewhere: Path) -> None:
    unpack(packed, elsewhere, quiet)
    with Store.open(DLM_ID) as store:
        store.verify("v0002")
    again = unpack(packed, elsewhere, quiet)
    assert again.store is None
    assert digests().keys() == {"v0001", "v0002"}


def test_another_document_is_never_overwritten_and_no_store_comes_then(
    packed: Path, elsewhere: Path
) -> None:
    elsewhere.mkdir()
    mine = elsewhere / "boat.dlm"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(EditConflict, match="says something else; nothing was written"):
        unpack(packed, elsewhere, quiet)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (elsewhere / "store").exists()


def test_a_store_that_went_on_is_refused(packed: Path, tmp_path: Path) -> None:
    with Store.open(DLM_ID) as store:
        add_version(store, 3)
    with pytest.raises(StoreError, match="does not hold the same"):
        unpack(packed, tmp_path / "out", quiet)
    assert digests().keys() == {"v0001", "v0002", "v0003"}
    assert not (tmp_path / "out" / "boat.dlm").exists()


def test_a_file_that_is_no_pack_of_this_document_is_not_replaced(boat: Path) -> None:
    out = boat.with_suffix(".zip")
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(DlmError, match="no pack of this document"):
        pack(parse_file(boat), out, quiet)
    assert out.read_text(encoding="utf-8") == "mine"


def test_a_document_that_was_never_trained_is_refused_and_gets_no_store(tmp_path: Path) -> None:
    path = tmp_path / "new.dlm"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(StoreError, match="not trained yet"):
        pack(parse_file(path), tmp_path / "new.dlmpack", quiet)
    assert not for_dlm(DLM_ID).root.exists()
    assert not (tmp_path / "new.dlmpack").exists()


def test_a_damaged_version_is_not_packed(boat: Path) -> None:
    weights = for_dlm(DLM_ID).versions / "v0001" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    with pytest.raises(CorruptStore, match="v0001 is damaged"):
        pack(parse_file(boat), boat.with_suffix(".dlmpack"), quiet)
    assert not boat.with_suffix(".dlmpack").exists()


def test_a_store_that_another_process_works_on_is_said_to_be_in_use(boat: Path) -> None:
    program = (
        "import sys\nfrom dlm.store.store import Store\n"
        f"with Store.open('{DLM_ID}') as store, store.lock('train'):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockHeld, match=f"process {holder.pid}"):
            pack(parse_file(boat), boat.with_suffix(".dlmpack"), quiet)
        holder.stdin.close()


def test_what_a_reader_sees_meanwhile_and_the_snapshot_agree(boat: Path, packed: Path) -> None:
    place = for_dlm(DLM_ID)
    with Store.open(DLM_ID) as reader:
        pack(parse_file(boat), packed, quiet)
        assert reader.version("v0002").path.is_dir()
    with Pack(packed) as opened:
        database = next(one for one in opened.contents.members if one.name.endswith("sqlite3"))
        copy = place.root / "copy.sqlite3"
        opened.write(database, copy)
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM versions").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
@pytest.mark.parametrize("step", ["fsync_tree", "write_new"])
def test_an_unpacking_that_is_killed_leaves_all_or_nothing_and_can_be_done_again(
    step: str, packed: Path, elsewhere: Path
) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nimport dlm.pack.unpacking as unpacking\n"
        f"unpacking.{step} = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "unpacking.unpack(Path(sys.argv[1]), Path(sys.argv[2]), print)\n"
    )
    out = elsewhere / "notes"
    killed = subprocess.run([sys.executable, "-c", program, packed, out], check=False)
    assert killed.returncode == -9
    assert not (out / "boat.dlm").exists()
    if (for_dlm(DLM_ID).root).exists():
        assert digests().keys() == {"v0001", "v0002"}
    unpack(packed, out, quiet)
    assert digests().keys() == {"v0001", "v0002"}
    assert (out / "boat.dlm").read_text(encoding="utf-8") == TEXT
