"""Databases and derived files that are missing, cut, garbled, older or newer."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from store_kit import DLM_ID, commit, in_child, remembered, start_child, traces

from dlm.errors import CorruptStore, StoreError
from dlm.store.manifest import load_manifest
from dlm.store.paths import StorePath
from dlm.store.store import Store


def three_versions() -> StorePath:
    with Store.open(DLM_ID, base_model="pocket") as store:
        for number in (1, 2, 3):
            commit(store, run_id=f"r{number}", memory=[remembered(f"s{number}")])
        store.set_current("v0002")
    return store.path


def assert_rebuilt(place: StorePath, said: str) -> None:
    with Store.open(DLM_ID) as store:
        assert any(said in notice for notice in store.notices)
        assert [version.name for version in store.versions()] == ["v0001", "v0002", "v0003"]
        for version in store.versions():
            store.verify(version)
        assert [version.parent for version in store.versions()] == [None, "v0001", "v0002"]
        assert {run.run_id for run in store.runs()} == {"r1", "r2", "r3"}
        current = store.current()
        assert current is not None
        assert current.name == "v0002"
        assert store.base_model == "pocket"
        moves = [move.to_version for move in store.pointer_moves()]
        assert moves == ["v0001", "v0002", "v0003", "v0002", "v0002"]
    with Store.open(DLM_ID) as store:
        assert store.notices == ()
        assert commit(store).name == "v0004"


def test_a_lost_database_is_rebuilt_from_the_versions() -> None:
    place = three_versions()
    place.database.unlink()
    assert_rebuilt(place, "did not know v0001, v0002, v0003")


def test_an_empty_database_is_a_lost_one() -> None:
    place = three_versions()
    place.database.write_bytes(b"")
    assert_rebuilt(place, "did not know v0001, v0002, v0003")


@pytest.mark.parametrize("kind", ["garbage", "short header", "cut", "half zero"])
def test_a_damaged_database_is_set_aside_and_rebuilt(kind: str) -> None:
    place = three_versions()
    whole = place.database.read_bytes()
    damaged = {
        "garbage": b"\xff\x00" * 5000,
        "short header": whole[:60],
        "cut": whole[: len(whole) // 2],
        "half zero": whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2),
    }[kind]
    place.database.write_bytes(damaged)
    assert_rebuilt(place, "store.sqlite3 is damaged")
    (aside,) = place.root.glob("store.sqlite3.damaged-*Z")
    assert aside.read_bytes() == damaged


def test_rows_that_can_still_be_read_are_carried_over() -> None:
    place = three_versions()
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'versions'")
        connection.commit()
    with Store.open(DLM_ID) as store:
        assert any("damaged" in notice for notice in store.notices)
        assert len(store.versions()) == 3
        for number, version in enumerate(store.versions(), 1):
            (one,) = store.memory(version)
            assert (one.lesson.section_id, one.lesson.text) == (f"s{number}", "The sky is blue.")


def test_eight_random_bytes_anywhere_lose_no_adapter() -> None:
    place = three_versions()
    whole = place.database.read_bytes()
    chance = random.Random(11)
    # Bytes 60 to 63 hold the schema number, which nothing guards.
    header, rest = [*range(52), *range(64, 100)], range(100, len(whole) - 8)
    damages = 0
    for offset in [*header[::3], *chance.sample(rest, 60)]:
        broken = bytearray(whole)
        broken[offset : offset + 8] = chance.randbytes(8)
        place.database.write_bytes(broken)
        with Store.open(DLM_ID) as store:
            damages += bool(store.notices)
            names = [version.name for version in store.versions()]
            assert names == ["v0001", "v0002", "v0003"], offset
            assert all(version.path.is_dir() for version in store.versions())
            assert store.current() is not None
            store.memory("v0001")
            store.runs()
            store.pointer_moves()
        for file in place.root.glob("store.sqlite3*"):
            file.unlink()
    assert damages > 20


def test_a_damaged_database_is_not_touched_while_another_works() -> None:
    place = three_versions()
    with Store.open(DLM_ID) as worker, worker.lock("train"):
        damaged = b"not a database, but longer than nothing" * 40
        beside = place.database.with_name("moved")
        place.database.rename(beside)
        place.database.write_bytes(damaged)
        for log in place.root.glob("store.sqlite3-*"):
            log.rename(log.with_name(log.name.replace("store.sqlite3", "moved")))
        with pytest.raises(CorruptStore, match=r"store\.sqlite3 is damaged") as refused:
            Store.open(DLM_ID)
        assert refused.value.hint is not None
        assert "adapter/versions" in refused.value.hint
        assert place.database.read_bytes() == damaged


def test_a_version_that_was_damaged_too_does_not_pass_for_whole() -> None:
    place = three_versions()
    place.database.unlink()
    place.current_pointer.unlink()
    place.manifest.unlink()
    (place.versions / "v0003" / "adapter_config.json").write_text("{}")
    with Store.open(DLM_ID) as store:
        assert len(store.versions()) == 3
        with pytest.raises(CorruptStore):
            store.verify("v0003")
        current = store.current()
        assert current is not None
        assert current.name == "v0002", "the newest that is whole"


@pytest.mark.parametrize("record", [None, b"", b"[1]", b'{"run": {"run_id": {}}}', b"\xff"])
def test_an_adapter_without_its_run_is_kept_all_the_same(record: bytes | None) -> None:
    place = three_versions()
    place.database.unlink()
    path = place.versions / "v0003" / "training_run.json"
    path.unlink()
    if record is not None:
        path.write_bytes(record)
    with Store.open(DLM_ID) as store:
        (notice,) = store.notices
        assert "how v0003 came to be is lost" in notice
        store.verify("v0003")
        assert store.run_of("v0003").run_id == "unknown-v0003"


def test_a_database_from_an_older_backup_takes_in_what_came_after() -> None:
    place = three_versions()
    backup = place.database.read_bytes()
    with Store.open(DLM_ID) as store:
        commit(store)
        commit(store)
    place.database.write_bytes(backup)
    with Store.open(DLM_ID) as store:
        (notice,) = store.notices
        assert "did not know v0004, v0005" in notice
        assert len(store.versions()) == 5
        current = store.current()
        assert current is not None
        assert current.name == "v0002", "the pointer stays where the database has it"


def test_a_version_put_back_from_a_backup_is_taken_in() -> None:
    place = three_versions()
    aside = place.root.parent / "backup"
    (place.versions / "v0001").rename(aside)
    with Store.open(DLM_ID) as store:
        assert store.notices == (f"the files of v0001 are gone from {place.versions}",)
        assert store.prune(1) == ["v0001"]
    aside.rename(place.versions / "v0001")
    with Store.open(DLM_ID) as store:
        store.verify("v0001")
        assert store.current() == store.version("v0002")


def test_a_row_that_came_through_garbled_does_not_come_back() -> None:
    place = three_versions()
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute("UPDATE pointer_log SET at = 'noon' WHERE seq = 2")
        connection.commit()
    with Store.open(DLM_ID) as store:
        assert any("damaged" in notice for notice in store.notices)
        assert len(store.pointer_moves()) == 5, "from the manifest, and the repair"
        assert [len(store.memory(version)) for version in store.versions()] == [1, 1, 1]
    with Store.open(DLM_ID) as store:
        assert store.notices == ()


def test_numbers_of_pruned_versions_stay_used_after_a_rebuild() -> None:
    with Store.open(DLM_ID) as store:
        for _ in range(4):
            commit(store)
        store.set_current("v0001")
        store.prune(0)
    store.path.database.unlink()
    with Store.open(DLM_ID) as store:
        assert commit(store).name == "v0005"


def test_a_log_that_a_crash_left_is_not_played_into_a_rebuilt_database() -> None:
    place = three_versions()

    def leave_a_log() -> None:
        store = Store.open(DLM_ID)
        commit(store, run_id="r4")
        os._exit(0)

    assert in_child(leave_a_log) == 0
    assert place.database.with_name("store.sqlite3-wal").stat().st_size > 0
    place.database.write_bytes(b"\xff" * 5000)
    with Store.open(DLM_ID) as store:
        assert len(store.versions()) == 4
    with closing(sqlite3.connect(place.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_log_of_a_reader_is_not_played_into_a_rebuilt_database() -> None:
    place = three_versions()
    ready, done = os.pipe(), os.pipe()

    def read_on() -> None:
        with Store.open(DLM_ID) as store:
            commit(store, run_id="r4")
            os.write(ready[1], b".")
            os.read(done[0], 1)

    child = start_child(read_on)
    os.read(ready[0], 1)
    with place.database.open("r+b") as file:
        file.write(b"\xff" * 100)
        file.truncate(100)
    with Store.open(DLM_ID) as store:
        assert len(store.versions()) == 4
        assert all(len(store.memory(version)) <= 1 for version in store.versions())
        assert list(place.root.glob("store.sqlite3.damaged-*-wal"))
        commit(store)
    with closing(sqlite3.connect(place.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    os.write(done[1], b".")
    assert os.waitpid(child, 0)[1] == 0
    with Store.open(DLM_ID) as store:
        assert len(store.versions()) == 5


@pytest.mark.parametrize("garbage", [None, b"", b"\xff\xfe", b"adapter/versions/v0001\n", b"{}"])
def test_derived_files_are_put_right_at_open(garbage: bytes | None) -> None:
    place = three_versions()
    for path in (place.manifest, place.current_pointer):
        before = path.read_bytes()
        path.unlink()
        if garbage is not None:
            path.write_bytes(garbage)
        with Store.open(DLM_ID) as store:
            assert store.notices == ()
        assert path.read_bytes() == before


def test_a_pointer_without_any_version_is_removed() -> None:
    with Store.open(DLM_ID) as store:
        store.path.current_pointer.write_text("adapter/versions/v0001\n")
    Store.open(DLM_ID).close()
    assert not store.path.current_pointer.exists()


def test_files_half_written_by_a_crash_are_swept() -> None:
    place = three_versions()
    (place.root / ".manifest.json.0badcafe.tmp").write_text("{")
    (place.adapter / ".current.txt.0badcafe.tmp").write_text("adap")
    (place.staging / "0123456789abcdef").mkdir()
    (place.staging / "0123456789abcdef" / "adapter_model.safetensors").touch()
    (place.staging / "stray").touch()
    assert traces(place) == []


def test_a_database_whose_schema_number_is_lost_is_rebuilt() -> None:
    place = three_versions()
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute("PRAGMA user_version = 0")
    assert_rebuilt(place, "the number of its schema is lost")


def test_a_newer_database_is_refused_and_left_alone() -> None:
    place = three_versions()
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute("PRAGMA user_version = 4711")
    with pytest.raises(StoreError, match="newer version of dlm") as refused:
        Store.open(DLM_ID)
    assert not isinstance(refused.value, CorruptStore)
    assert [path.name for path in place.root.glob("*damaged*")] == []


def test_each_migration_runs_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dlm.store import database as module

    add_notes = ("CREATE TABLE notes (text TEXT)",)
    fail = ("CREATE TABLE half (text TEXT)", "CREATE TABLE half (text TEXT)")
    place = three_versions()
    first = module.TABLES
    monkeypatch.setattr(module, "TABLES", (*first, add_notes, fail))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Store.open(DLM_ID)
    monkeypatch.setattr(module, "TABLES", (*first, add_notes))
    for _ in range(2):
        with Store.open(DLM_ID) as store:
            assert store.database.rows("SELECT * FROM notes") == []
            assert store.database.rows("SELECT 1 FROM sqlite_master WHERE name = 'half'") == []
            assert store.database.rows("PRAGMA user_version")[0][0] == len(first) + 1
            assert len(store.versions()) == 3
    assert place.database.exists()


def test_the_database_is_durable_as_it_claims() -> None:
    with Store.open(DLM_ID) as store:
        found = {
            name: store.database.rows(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_the_manifest_is_rebuilt_to_the_letter() -> None:
    place = three_versions()
    before = load_manifest(place.manifest)
    place.manifest.unlink()
    Store.open(DLM_ID).close()
    assert load_manifest(place.manifest) == before
