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


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def pocket_folder() -> Path:
    """The embedded base."""
    from dlm.base_models import resolve
    from dlm.base_models.locate import local_folder

    return local_folder(resolve("pocket"))
