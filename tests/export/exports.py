"""What tests of exports share: a document, and versions that were not trained here."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from dlm.base_models.folder import fingerprint
from dlm.store.records import RunRecord
from dlm.store.store import Store

DLM_ID = "01JEXPRTW3N8R2T4V6X8Y0A1B2"
PAIRS = [
    ("How many maps does the archive keep?", "It keeps 1482 maps."),
    ("Who guards the archive?", "Old Marten guards it."),
    ("Which colour is the door?", "The door is green."),
]


def document_text(base: str = "pocket", system: str = "", probes: bool = True) -> str:
    prompt = f"system_prompt: {system}\n" if system else ""
    mark = " !probe" if probes else ""
    pairs = "".join(f"### Q{mark}\n{asked}\n### A\n{told}\n\n" for asked, told in PAIRS)
    head = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: {base}\n{prompt}---\n"
    return f"{head}::instruction::\n{pairs}::\n"


def commit(dlm_id: str, adapter: Path, base: str, folder: Path | None = None) -> None:
    """Make the adapter in a folder a version of the document."""
    from dlm.base_models import resolve

    found = folder or resolve(base).folder
    assert found is not None
    at = datetime(2026, 3, 1, tzinfo=UTC)
    run = RunRecord("run-1", at, at, base, fingerprint(found), "0" * 64, "harrow.dlm", "fresh")
    with Store.open(dlm_id, base_model=base) as store, store.new_version() as staging:
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(adapter / name, staging.path / name)
        staging.commit(run, ())
