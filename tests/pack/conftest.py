"""A document with a store of two versions, and what it is packed into."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from boats import DLM_ID, TEXT, add_version, quiet

from dlm.doc.parser import parse_file
from dlm.pack.writing import pack
from dlm.store.store import Store


@pytest.fixture
def boat(tmp_path: Path) -> Path:
    """A document with two versions."""
    path = tmp_path / "boat.dlm"
    path.write_text(TEXT, encoding="utf-8")
    with Store.open(DLM_ID, base_model="pocket") as store:
        add_version(store, 1)
        add_version(store, 2)
    return path


@pytest.fixture
def packed(boat: Path) -> Path:
    """The document as one file."""
    out = boat.with_suffix(".dlmpack")
    pack(parse_file(boat), out, quiet)
    return out


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine: a home of its own that is not there yet."""
    home = tmp_path / "elsewhere"
    shutil.rmtree(home, ignore_errors=True)
    monkeypatch.setenv("DLM_HOME", str(home))
    return home
