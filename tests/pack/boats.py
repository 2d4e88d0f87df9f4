"""A document and versions of it, for packs."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from dlm.store.records import RunRecord
from dlm.store.store import Store
from dlm.tensors import write_tensors

DLM_ID = "01JPACKW3N8R2T4V6X8Y0A1B2C"
TEXT = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\nThe boat is blue.\n"


def quiet(text: str) -> None:
    """Say nothing."""


def add_version(store: Store, seed: int, base_fingerprint: str = "f" * 64) -> None:
    with store.new_version() as staging:
        values = np.random.default_rng(seed).standard_normal((4, 8)).astype("<f4")
        write_tensors(
            staging.path / "adapter_model.safetensors",
            {"w": values.shape},
            "F32",
            lambda name: values.tobytes(),
        )
        (staging.path / "adapter_config.json").write_text("{}", encoding="utf-8")
        at = datetime(2026, 3, 1, tzinfo=UTC)
        run = RunRecord(
            f"run-{seed}", at, at, "pocket", base_fingerprint, "0" * 64, "boat.dlm", "fresh"
        )
        staging.commit(run, ())
