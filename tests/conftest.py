"""Shared by all tests: nothing reaches the network or the owner's store."""

from __future__ import annotations

import os

# Read when the libraries are imported, so set before any test is.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from pathlib import Path

import pytest

LONG = ("train/", "test_docs", "loops/improve/", "cli/test_", "eval/", "examples/", "loops/")
"""Where files of long tests are, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no process is left with one at the end."""

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((at for at, part in enumerate(LONG) if name.startswith(part)), len(LONG))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def pocket_folder() -> Path:
    """The embedded base."""
    from dlm.base_models import resolve
    from dlm.base_models.locate import local_folder

    return local_folder(resolve("pocket"))
