from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from store_kit import DLM_ID, commit

from dlm.errors import CorruptStore, StoreError
from dlm.store.manifest import Manifest, load_manifest, save_manifest
from dlm.store.paths import for_dlm
from dlm.store.records import PointerMove
from dlm.store.store import Store

text = st.text(st.characters(codec="utf-8"))
moves = st.builds(PointerMove, st.datetimes(timezones=st.just(UTC)), st.none() | text, text, text)
manifests = st.builds(
    Manifest,
    dlm_id=text,
    base_model=text,
    created_at=st.none() | text,
    current_version=st.none() | text,
    versions=st.lists(text).map(tuple),
    last_number=st.integers(0, 10**6),
    adapter_history=st.lists(moves, max_size=3).map(tuple),
)
shared_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared_folder
@given(manifest=manifests)
def test_a_manifest_comes_back_as_it_was_saved(tmp_path: Path, manifest: Manifest) -> None:
    save_manifest(tmp_path / "manifest.json", manifest)
    assert load_manifest(tmp_path / "manifest.json") == manifest


@shared_folder
@given(garbage=st.binary() | st.text().map(json.dumps).map(str.encode))
def test_garbage_is_called_so(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(garbage)
    with pytest.raises(CorruptStore, match="is not a manifest"):
        load_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"dlm_id": 3},
        {"dlm_id": "x", "versions": [1]},
        {"dlm_id": "x", "last_number": "7"},
        {"dlm_id": "x", "current_version": 4},
        {"dlm_id": "x", "created_at": 5},
        {"dlm_id": "x", "adapter_history": [{"at": "noon"}]},
        {"dlm_id": "x", "adapter_history": "yes"},
        {"base_model": "x"},
    ],
)
def test_a_manifest_of_another_shape_is_garbage(tmp_path: Path, fields: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(CorruptStore):
        load_manifest(tmp_path / "manifest.json")


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"dlm_id": "x", "colour": "blue"}')
    assert load_manifest(tmp_path / "manifest.json") == Manifest(dlm_id="x")


def test_a_missing_manifest_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*manifest\.json: No such file"):
        load_manifest(tmp_path / "manifest.json")


def test_an_editor_may_make_the_store_first() -> None:
    place = for_dlm(DLM_ID)
    place.ensure_layout()
    save_manifest(place.manifest, Manifest(dlm_id=DLM_ID, base_model="smollm2-135m"))
    with Store.open(DLM_ID) as store:
        assert (store.base_model, store.versions(), store.current()) == ("smollm2-135m", (), None)
        assert store.notices == ()


def test_the_manifest_follows_every_change() -> None:
    with Store.open(DLM_ID, base_model="pocket") as store:
        for _ in range(3):
            commit(store)
        store.set_current("v0002")
        store.prune(1)
        manifest = load_manifest(store.path.manifest)
    assert (manifest.dlm_id, manifest.base_model) == (DLM_ID, "pocket")
    assert (manifest.current_version, manifest.versions) == ("v0002", ("v0002", "v0003"))
    assert manifest.last_number == 3
    assert [
        (move.from_version, move.to_version, move.why) for move in manifest.adapter_history
    ] == [
        (None, "v0001", "commit"),
        ("v0001", "v0002", "commit"),
        ("v0002", "v0003", "commit"),
        ("v0003", "v0002", "rollback"),
    ]


def test_a_manifest_that_is_right_is_not_rewritten() -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
    before = store.path.manifest.stat(), store.path.current_pointer.stat()
    Store.open(DLM_ID).close()
    assert (store.path.manifest.stat(), store.path.current_pointer.stat()) == before
