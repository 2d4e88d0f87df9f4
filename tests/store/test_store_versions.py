from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from store_kit import DLM_ID, commit, remembered, run_record, start_child, traces, write_adapter

from dlm.errors import CorruptStore, StoreError
from dlm.store import improving
from dlm.store.database import Database
from dlm.store.store import Store


def test_a_new_store_is_empty_and_says_nothing() -> None:
    with Store.open(DLM_ID, base_model="pocket") as store:
        assert (store.versions(), store.current(), store.runs()) == ((), None, ())
        assert store.pointer_moves() == ()
        assert (store.notices, store.read_only) == ((), False)
        assert (store.dlm_id, store.base_model) == (DLM_ID, "pocket")
        assert store.path.resolve_current_adapter() is None


def test_a_commit_becomes_the_current_version() -> None:
    with Store.open(DLM_ID) as store:
        with store.new_version() as staging:
            write_adapter(staging.path)
            assert (staging.number, staging.name) == (1, "v0001")
            assert stat.S_IMODE(staging.path.stat().st_mode) == 0o700
            version = staging.commit(run_record("r1"), [remembered("s1")])
        assert store.versions() == (version,)
        assert store.current() == version
        assert version.path == store.path.versions / "v0001"
        assert version.path == store.path.resolve_current_adapter()
        assert store.path.current_pointer.read_text() == "adapter/versions/v0001\n"
        assert store.run_of(version) == store.run_of("1") == run_record("r1")
    with Store.open(DLM_ID) as store:
        assert store.current() == version
        assert store.runs() == (run_record("r1"),)


def test_a_candidate_stays_beside_the_current_version_until_it_is_chosen() -> None:
    with Store.open(DLM_ID) as store:
        first = commit(store)
        candidate = commit(store, current=False)
        assert store.current() == first
        assert store.versions() == (first, candidate)
        assert store.path.resolve_current_adapter() == first.path
    with Store.open(DLM_ID) as store:
        assert store.current() == first
        store.set_current(candidate, why="promoted")
        assert store.current() == candidate


def test_a_candidate_before_any_other_version_stays_one() -> None:
    with Store.open(DLM_ID) as store:
        candidate = commit(store, current=False)
        assert store.current() is None
    with Store.open(DLM_ID) as store:
        assert store.current() is None
        assert store.versions() == (candidate,)
        assert store.path.resolve_current_adapter() is None
        store.set_current(candidate)
        assert store.current() == candidate


def test_what_the_trainer_says_of_its_run_is_kept() -> None:
    with Store.open(DLM_ID) as store, store.new_version() as staging:
        write_adapter(staging.path)
        (staging.path / "training_run.json").write_text('{"torch": "2.15", "run": "mine"}')
        version = staging.commit(run_record("r1"), [remembered("s1", text="a secret")])
    text = (version.path / "training_run.json").read_text()
    data = json.loads(text)
    assert (data["torch"], data["version"], data["run"]["run_id"]) == ("2.15", "v0001", "r1")
    assert set(data["files"]) == {"adapter_model.safetensors", "adapter_config.json"}
    assert "secret" not in text, "an adapter folder may be handed on; the document is not in it"


def test_leaving_without_a_commit_leaves_nothing() -> None:
    with Store.open(DLM_ID) as store:
        with store.new_version() as staging:
            write_adapter(staging.path)
        assert not staging.path.exists()
        with suppress(KeyboardInterrupt), store.new_version() as staging:
            write_adapter(staging.path)
            raise KeyboardInterrupt
        assert not staging.path.exists()
        assert commit(store).name == "v0001"
    assert traces(store.path) == []


def test_an_interrupt_inside_the_commit_leaves_the_old_version_or_the_new_one() -> None:
    def interrupt(step: str) -> None:
        if step == at:
            raise KeyboardInterrupt

    for number, at in enumerate(
        ["scanned", "sealed", "reserved", "renamed", "recorded", "committed"]
    ):
        dlm_id = f"01X{number}"
        with Store.open(dlm_id, checkpoint=interrupt) as store:
            with pytest.raises(KeyboardInterrupt):
                commit(store)
            committed = at == "committed"
            assert [v.name for v in store.versions()] == (["v0001"] if committed else [])
            assert [path.name for path in store.path.versions.iterdir()] == (
                ["v0001"] if committed else []
            )
            assert list(store.path.staging.iterdir()) == []
        with Store.open(dlm_id) as store:
            assert (store.path.resolve_current_adapter() is not None) == committed


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs to see what is flushed")
def test_a_version_is_on_the_disk_before_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    flush = os.fsync

    def watched(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with Store.open(DLM_ID, checkpoint=done.append) as store, store.new_version() as staging:
        write_adapter(staging.path)
        (staging.path / "more").mkdir()
        (staging.path / "more" / "notes.txt").write_text("x")
        names = ["adapter_model.safetensors", "adapter_config.json", "training_run.json"]
        expected = {staging.path, staging.path / "more", staging.path / "more" / "notes.txt"}
        expected |= {staging.path / name for name in names}
        staging.commit(run_record("r1"), [])
    flushed = done[done.index("sealed") + 1 : done.index("flushed")]
    assert {Path(path) for path in flushed} == expected
    renamed = done[done.index("reserved") + 1 : done.index("renamed")]
    assert {Path(path) for path in renamed} == {store.path.versions, store.path.staging}


def test_a_commit_that_failed_can_be_tried_again() -> None:
    def fail_once(step: str) -> None:
        if step == "renamed" and not failed:
            failed.append(step)
            raise StoreError("the disk is full")

    failed: list[str] = []
    with (
        Store.open(DLM_ID, checkpoint=fail_once) as store,
        store.new_version() as staging,
    ):
        write_adapter(staging.path)
        with pytest.raises(StoreError):
            staging.commit(run_record("r1"), [])
        store.verify(staging.commit(run_record("r1"), []))


def test_more_rows_can_join_the_transaction() -> None:
    def fail(database: Database) -> None:
        database.execute("UPDATE meta SET base_model = 'other'")
        raise StoreError("the probes changed meanwhile")

    with Store.open(DLM_ID, base_model="pocket") as store, store.new_version() as staging:
        write_adapter(staging.path)
        with pytest.raises(StoreError, match="probes"):
            staging.commit(run_record("r1"), [], also=fail)
        assert (store.base_model, store.versions(), store.runs()) == ("pocket", (), ())
        staging.commit(
            run_record("r1"), [], also=lambda db: db.execute("UPDATE meta SET base_model = 'b'")
        )
        assert store.base_model == "b"


def test_a_run_is_recorded_once() -> None:
    with Store.open(DLM_ID) as store:
        commit(store, run_id="r1")
        with pytest.raises(StoreError, match="run r1 is already recorded"):
            commit(store, run_id="r1")
        assert len(store.versions()) == len(store.runs()) == 1


def test_a_version_names_the_one_it_continued() -> None:
    with Store.open(DLM_ID) as store:
        parents = [commit(store).parent, commit(store).parent]
        store.set_current("v0001")
        parents += [commit(store).parent, commit(store, mode="fresh").parent]
        assert parents == [None, "v0001", "v0001", None]
        assert [version.parent for version in store.versions()] == parents


def test_runs_come_oldest_first_and_the_newest_of_them() -> None:
    with Store.open(DLM_ID) as store:
        for name in ("b", "a", "c"):
            commit(store, run_id=name)
        store.prune(1)
        assert [run.run_id for run in store.runs()] == ["b", "a", "c"]
        assert [run.run_id for run in store.runs(2)] == ["a", "c"]
        assert store.runs(0) == ()


def test_each_version_remembers_its_own_items_until_it_is_pruned() -> None:
    one, two = remembered("s1", line=1), remembered("s2", line=9, text="Grass is green.")
    learned = replace(two, nll=0.25, exact=True, removed=True, since="v0002", seen="v0003")
    with Store.open(DLM_ID) as store:
        commit(store, memory=[one, two, one])
        commit(store, memory=[learned, one])
        assert store.memory("v0001") == (one, two)
        assert store.memory("v0002") == (learned, one)
        store.forget("v0002", [one.lesson.id])
        assert (store.memory("v0001"), store.memory("v0002")) == ((one, two), (learned,))
        commit(store)
        store.prune(2)
        assert [row[0] for row in store.database.rows("SELECT text FROM items")] == [
            two.lesson.text
        ]


def test_the_text_of_a_document_goes_with_its_last_version() -> None:
    with Store.open(DLM_ID) as store:
        for number, text in enumerate((b"one", b"two", b"two"), 1):
            digest = improving.keep_text(store.database, text)
            with store.new_version() as staging:
                write_adapter(staging.path)
                staging.commit(replace(run_record(f"r{number}"), document_sha256=digest), [])

        def kept() -> set[bytes]:
            return {bytes(row[0]) for row in store.database.rows("SELECT text FROM document_texts")}

        store.prune(2)
        assert kept() == {b"two"}
        store.prune(1)
        assert kept() == {b"two"}
        digest = store.run_of("v0003").document_sha256
        assert improving.kept_text(store.database, digest) == b"two"
        store.database.execute("UPDATE document_texts SET text = ?", b"other")
        assert improving.kept_text(store.database, digest) is None


def test_an_item_comes_back_as_it_was() -> None:
    content = "Ünïcödé \x00 \u2028 'quoted' \"twice\"\r\n```\n"
    with Store.open(DLM_ID) as store:
        commit(store, memory=[remembered("s1", text=content)])
        assert store.memory("v0001")[0].lesson.text == content


def test_rollback_moves_the_pointer_and_says_so() -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
        commit(store)
        store.set_current("v0001", why="v0002 forgot the sky")
        assert store.path.current_pointer.read_text() == "adapter/versions/v0001\n"
    with Store.open(DLM_ID) as store:
        current = store.current()
        assert current is not None
        assert current.name == "v0001"
        last = store.pointer_moves()[-1]
        assert (last.from_version, last.to_version) == ("v0002", "v0001")
        assert last.why == "v0002 forgot the sky"


def test_a_version_that_is_not_there_is_named_with_those_that_are() -> None:
    with Store.open(DLM_ID) as store:
        with pytest.raises(StoreError, match="no version v0001") as refused:
            store.version("v0001")
        assert refused.value.hint == "train it first: dlm train"
        commit(store)
        commit(store)
        with pytest.raises(StoreError, match="no version latest") as refused:
            store.set_current("latest")
        assert refused.value.hint == "there is v0001, v0002"


@pytest.mark.parametrize("damage", ["flip", "extra", "missing file", "missing folder"])
def test_a_changed_version_is_found_and_another_offered(damage: str) -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
        commit(store)
        version = commit(store)
        weights = version.path / "adapter_model.safetensors"
        if damage == "flip":
            data = bytearray(weights.read_bytes())
            data[-1] ^= 1
            weights.write_bytes(data)
        elif damage == "extra":
            (version.path / "adapter_model.bin").touch()
        elif damage == "missing file":
            weights.unlink()
        else:
            version.path.rename(store.path.root.parent / "elsewhere")
        (store.path.versions / "v0002" / "adapter_config.json").write_text("{}")
        with pytest.raises(CorruptStore, match=r"adapter version v0003 is damaged") as refused:
            store.verify(version)
        assert refused.value.hint is not None
        assert refused.value.hint.endswith("dlm rollback v0001")
        with pytest.raises(CorruptStore):
            store.set_current("v0002")
        assert store.current() == version, "a rollback to a damaged version does not happen"
    with Store.open(DLM_ID) as store:
        assert store.current() == version
        assert any("v0003" in said for said in store.notices) == (damage == "missing folder")


def test_when_nothing_is_whole_the_hint_is_to_train() -> None:
    with Store.open(DLM_ID) as store:
        version = commit(store)
        (version.path / "adapter_config.json").write_text("{}")
        with pytest.raises(CorruptStore) as refused:
            store.verify(version)
        assert refused.value.hint is not None
        assert "dlm train --fresh" in refused.value.hint


def test_prune_keeps_the_newest_the_current_and_the_protected() -> None:
    with Store.open(DLM_ID) as store:
        for _ in range(6):
            commit(store)
        store.set_current("v0002")
        assert store.prune(2, protect=["v0003"]) == ["v0001", "v0004"]
        assert [v.name for v in store.versions()] == ["v0002", "v0003", "v0005", "v0006"]
        assert store.prune(2, protect=["v0003"]) == []
        assert store.prune(0) == ["v0003", "v0005", "v0006"]
        assert sorted(path.name for path in store.path.versions.iterdir()) == ["v0002"]
        assert len(store.runs()) == 6
    assert traces(store.path) == []


def test_prune_forgets_a_version_whose_files_are_gone() -> None:
    with Store.open(DLM_ID) as store:
        version = commit(store)
        commit(store)
        version.path.rename(store.path.root.parent / "elsewhere")
        assert store.prune(1) == ["v0001"]
    with Store.open(DLM_ID) as store:
        assert store.notices == ()


def test_a_version_that_serves_elsewhere_is_not_pruned() -> None:
    ready, done = os.pipe(), os.pipe()

    def serve() -> None:
        with Store.open(DLM_ID) as store, store.in_use("v0001"), store.in_use("v0001"):
            os.write(ready[1], b".")
            os.read(done[0], 1)

    with Store.open(DLM_ID) as store:
        commit(store)
        commit(store)
    child = start_child(serve)
    os.read(ready[0], 1)
    with Store.open(DLM_ID) as store:
        with store.in_use("v0001"):
            assert store.prune(1) == []
        assert store.prune(1) == []
        store.verify("v0001")
        os.write(done[1], b".")
        assert os.waitpid(child, 0)[1] == 0
        assert store.prune(1) == ["v0001"]
        with pytest.raises(StoreError, match="no version v0001"), store.in_use("v0001"):
            pass


def test_a_version_pruned_by_another_cannot_begin_to_serve() -> None:
    with Store.open(DLM_ID) as store, Store.open(DLM_ID) as other:
        version = commit(store)
        commit(store)
        begun = other.version("v0001")
        begun.path.rename(store.path.staging / "pruned-v0001-x")
        with pytest.raises(CorruptStore, match="its folder is gone"), other.in_use(version):
            pass


def test_a_later_base_model_is_remembered() -> None:
    Store.open(DLM_ID, base_model="pocket").close()
    with Store.open(DLM_ID, base_model="smollm2-135m") as store:
        assert store.base_model == "smollm2-135m"
    with Store.open(DLM_ID) as store:
        assert store.base_model == "smollm2-135m"


def test_a_copied_store_takes_the_id_of_its_folder(dlm_home: Path) -> None:
    import shutil

    with Store.open(DLM_ID) as store:
        commit(store)
    shutil.copytree(dlm_home / "store" / DLM_ID, dlm_home / "store" / "01COPY")
    with Store.open("01COPY") as store:
        store.verify("v0001")
        assert json.loads(store.path.manifest.read_text())["dlm_id"] == "01COPY"


def test_opening_is_quick() -> None:
    with Store.open(DLM_ID) as store:
        for number in range(30):
            commit(store, memory=[remembered(f"s{number}-{i}", text="x" * 900) for i in range(20)])
    started = time.perf_counter()
    Store.open(DLM_ID).close()
    assert time.perf_counter() - started < 0.5
