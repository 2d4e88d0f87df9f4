from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_kit import DLM_ID, commit, start_child

from dlm.errors import LockHeld
from dlm.files import home
from dlm.store.locks import document_lock
from dlm.store.store import Store

HOLD = f"""
import sys, time
from dlm.store.store import Store
with Store.open({DLM_ID!r}) as store, store.lock("train"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_the_store() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder, Store.open(DLM_ID) as store:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockHeld) as refused, store.lock("prune", wait=0.1):
            pass
        said = re.fullmatch(
            rf"the store of {DLM_ID} is in use by process {holder.pid} \(train\)"
            r" since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)",
            refused.value.message,
        )
        assert said
        since = time.mktime(time.strptime(said[1], "%Y-%m-%d %H:%M:%S"))
        assert abs(time.time() - since) < 60, "the time is local"
        assert str(holder.pid) in str(refused.value.hint)
        with pytest.raises(LockHeld), store.new_version():
            pass
        holder.kill()
        holder.wait()
        with store.lock("prune", wait=0.0):
            body = json.loads(store.path.lock.read_text())
            assert (body["pid"], body["purpose"]) == (os.getpid(), "prune")
        assert store.path.lock.read_text() == ""


def test_a_short_wait_outlasts_a_short_holder() -> None:
    ready = os.pipe()

    def hold() -> None:
        with Store.open(DLM_ID) as store, store.lock("edit"):
            os.write(ready[1], b".")
            time.sleep(0.3)

    child = start_child(hold)
    os.read(ready[0], 1)
    with Store.open(DLM_ID) as store, store.lock("train", wait=5.0):
        pass
    assert os.waitpid(child, 0)[1] == 0


def test_two_stores_in_one_process_exclude_each_other() -> None:
    with Store.open(DLM_ID) as one, Store.open(DLM_ID) as other:
        with one.lock("train"), pytest.raises(LockHeld), other.lock("train", wait=0.0):
            pass
        with other.lock("train", wait=0.0):
            pass


def test_a_store_that_holds_its_lock_works_under_it() -> None:
    with Store.open(DLM_ID) as store, store.lock("improve"):
        commit(store)
        commit(store)
        store.set_current("v0001")
        assert store.prune(1) == []
        assert json.loads(store.path.lock.read_text())["purpose"] == "improve"


def test_a_failure_under_the_lock_gives_it_back() -> None:
    with Store.open(DLM_ID) as store:
        with pytest.raises(KeyError), store.lock("train"):
            raise KeyError
        with store.lock("train", wait=0.0):
            pass


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff", b"null"])
def test_an_unreadable_note_still_makes_a_sentence(note: bytes) -> None:
    with Store.open(DLM_ID) as one, Store.open(DLM_ID) as other, one.lock("train"):
        one.path.lock.write_bytes(note)
        with (
            pytest.raises(LockHeld, match="in use by another process"),
            other.lock("edit", wait=0.0),
        ):
            pass


def test_a_document_is_locked_without_a_file_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    document = folder / "sky.dlm"
    document.write_text("blue")
    (folder / "link.dlm").symlink_to(document)
    with document_lock(document):
        assert {path.name for path in folder.iterdir()} == {"sky.dlm", "link.dlm"}
        assert len(list((home() / "locks").iterdir())) == 1
        assert stat.S_IMODE((home() / "locks").stat().st_mode) == 0o700
        with (
            pytest.raises(LockHeld, match=rf"link.dlm is in use by process {os.getpid()}"),
            document_lock(folder / "link.dlm", wait=0.0),
        ):
            pass
        with document_lock(folder / "other.dlm", wait=0.0):
            pass
    with document_lock(document, wait=0.0):
        pass


def test_the_lock_of_a_killed_editor_is_free(tmp_path: Path) -> None:
    ready = os.pipe()

    def hold() -> None:
        with document_lock(tmp_path / "sky.dlm"):
            os.write(ready[1], b".")
            time.sleep(60)

    child = start_child(hold)
    os.read(ready[0], 1)
    with pytest.raises(LockHeld, match=str(child)), document_lock(tmp_path / "sky.dlm", wait=0.0):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with document_lock(tmp_path / "sky.dlm", wait=0.0):
        pass
