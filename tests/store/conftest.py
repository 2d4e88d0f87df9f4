from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import MEMORY, end_children


@pytest.fixture(autouse=True)
def dlm_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test has a home of its own."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        monkeypatch.setenv("DLM_HOME", f"{folder}/home")
        yield Path(folder) / "home"
        end_children()
