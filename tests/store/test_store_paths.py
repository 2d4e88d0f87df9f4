from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dlm.errors import StoreError
from dlm.files import home
from dlm.store.paths import for_dlm


def test_home_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "a"))
    assert home() == tmp_path / "a"
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "b"))
    assert for_dlm("01X").root == tmp_path / "b" / "store" / "01X"


def test_without_a_setting_home_is_below_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DLM_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / ".dlm"


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\x00b", "x" * 200]
)
def test_an_id_cannot_name_a_folder_elsewhere(bad: str) -> None:
    with pytest.raises(StoreError):
        for_dlm(bad)


def test_folders_are_closed_to_other_users(dlm_home: Path) -> None:
    place = for_dlm("01X")
    place.root.mkdir(parents=True, mode=0o755)
    place.ensure_layout()
    for folder in (place.root, place.adapter, place.versions, place.staging):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_a_home_that_is_made_is_closed_too(dlm_home: Path) -> None:
    for_dlm("01X").ensure_layout()
    assert stat.S_IMODE(dlm_home.stat().st_mode) == 0o700


@pytest.mark.parametrize("ending", ["", "\n", "  \r\n"])
def test_the_pointer_is_relative_to_the_store_root(ending: str) -> None:
    place = for_dlm("01X")
    place.ensure_layout()
    (place.versions / "v0003").mkdir()
    place.current_pointer.write_text("adapter/versions/v0003" + ending)
    assert place.resolve_current_adapter() == place.versions / "v0003"


@pytest.mark.parametrize("pointer", ["", "\n", "adapter/versions/v0009", "../other", "/", "lock"])
def test_a_pointer_to_nothing_or_outside_is_no_adapter(pointer: str) -> None:
    place = for_dlm("01X")
    place.ensure_layout()
    (place.root.parent / "other").mkdir()
    place.lock.touch()
    assert place.resolve_current_adapter() is None
    place.current_pointer.write_text(pointer)
    assert place.resolve_current_adapter() is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=400))
def test_a_garbage_pointer_never_raises(garbage: bytes) -> None:
    place = for_dlm("01X")
    place.ensure_layout()
    place.current_pointer.write_bytes(garbage)
    resolved = place.resolve_current_adapter()
    assert resolved is None or resolved.is_relative_to(place.root)


def test_editors_import_paths_and_manifest_without_anything_heavy() -> None:
    heavy = "('torch', 'transformers', 'numpy', 'pydantic', 'safetensors', 'sqlite3')"
    code = (
        "import sys, dlm.store.paths, dlm.store.manifest; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_the_store_imports_no_torch() -> None:
    code = (
        "import sys, dlm.store.store; "
        "print([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
