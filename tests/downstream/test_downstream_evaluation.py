"""The evaluation tool dlm-sway, as installed, on top of this package."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from dlm_sway.core.errors import DlmCompatError
from dlm_sway.integrations.dlm.autogen import build_spec_dict
from dlm_sway.integrations.dlm.resolver import resolve_dlm

from dlm.base_models import BASE_MODELS, BaseModel
from dlm.base_models.wheel import unpacked_folder
from dlm.doc.parser import parse_file
from dlm.store.records import RunRecord
from dlm.store.store import Store

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
BODY = r"""
# The lighthouse

The lamp is lit at dusk by whoever is on duty.

::instruction#lamp::
### Q
When is the lamp lit?

### A
At dusk, by whoever is on duty.

### Q !probe
What does a fence look like?

### A
Like this:

\::instruction::
::

::preference::
### Prompt
Greet me.
### Chosen
Good evening.
### Rejected
Hi.
::
"""


def _document(folder: Path, *, base: str = "pocket", body: str = BODY) -> Path:
    path = folder / "notes.dlm"
    head = f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: {base}\n---\n"
    path.write_text(head + body, encoding="utf-8", newline="")
    return path


def _commit(adapter: Path) -> Path:
    """Commit the files of `adapter` as a version; returns where the store keeps it."""
    now = datetime.now(UTC)
    run = RunRecord(
        run_id="run-1",
        started_at=now,
        ended_at=now,
        base_key="pocket",
        base_fingerprint="f" * 64,
        document_sha256="d" * 64,
        document_path="notes.dlm",
        mode="fresh",
        config={},
        figures={},
        stop_reason="learned",
        steps=1,
        seconds=1.0,
    )
    with Store.open(ID, base_model="pocket") as store, store.new_version() as staging:
        for path in adapter.iterdir():
            (staging.path / path.name).write_bytes(path.read_bytes())
        return staging.commit(run, []).path


@pytest.fixture
def adapter(tmp_path: Path, pocket_folder: Path) -> Path:
    """An adapter as training saves it, with noise in place of what it learned."""
    from safetensors.numpy import load_file, save_file

    from dlm.engine.loading import LoraSettings, save_adapter
    from dlm.engine.model import Model
    from dlm.hardware import Plan

    how = Plan("cpu", "float32", 1, 1, False, 1, 0.0, ())
    shape = LoraSettings(4, 8, 0.0, "all-linear", 0)
    folder = tmp_path / "adapter"
    folder.mkdir()
    base = BASE_MODELS["pocket"]
    save_adapter(
        Model.load(pocket_folder, how, new_adapter=shape).network, folder, base_id=base.hf_id
    )
    weights = load_file(folder / "adapter_model.safetensors")
    noise = np.random.default_rng(0)
    for name, value in weights.items():
        weights[name] = noise.normal(0, 0.2, value.shape).astype(np.float32)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder


def test_sections_questions_and_triples_arrive_with_our_identities(tmp_path: Path) -> None:
    path = _document(tmp_path)
    handle = resolve_dlm(path)
    ours = parse_file(path)
    assert handle.dlm_id == ID
    assert [section.id for section in handle.sections] == [s.section_id for s in ours.sections]
    assert [section.kind for section in handle.sections if section.kind != "prose"] == [
        "instruction",
        "preference",
    ]
    instruction = next(section for section in handle.sections if section.kind == "instruction")
    assert instruction.tag == "lamp"
    assert [(probe.prompt, probe.gold) for probe in instruction.probes] == [
        ("When is the lamp lit?", "At dusk, by whoever is on duty."),
        ("What does a fence look like?", "Like this:\n\n::instruction::"),
    ]
    preference = next(section for section in handle.sections if section.kind == "preference")
    (triple,) = preference.preferences
    assert (triple.prompt, triple.chosen, triple.rejected) == ("Greet me.", "Good evening.", "Hi.")


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    plain = resolve_dlm(_document(tmp_path))
    windows = resolve_dlm(_document(tmp_path, body=BODY.replace("\n", "\r\n")))
    assert [section.id for section in windows.sections] == [s.id for s in plain.sections]
    assert [s.preferences for s in windows.sections] == [s.preferences for s in plain.sections]


def test_an_untrained_document_has_no_adapter_and_makes_no_store(tmp_path: Path) -> None:
    from dlm.store.paths import for_dlm

    assert resolve_dlm(_document(tmp_path)).adapter_path is None
    assert not for_dlm(ID).root.exists()


@pytest.mark.parametrize("base", BASE_MODELS.values(), ids=lambda base: base.key)
def test_every_registry_key_becomes_an_id_that_from_pretrained_takes(
    tmp_path: Path, base: BaseModel
) -> None:
    named = base.hf_id if base.wheel is None else str(unpacked_folder(base))
    assert resolve_dlm(_document(tmp_path, base=base.key)).base_model == named


def test_other_ways_to_name_a_base_become_ids_too(tmp_path: Path, pocket_folder: Path) -> None:
    assert resolve_dlm(_document(tmp_path, base="hf:org/name")).base_model == "org/name"
    assert resolve_dlm(_document(tmp_path, base=str(pocket_folder))).base_model == str(
        pocket_folder
    )


def test_an_unknown_base_is_reported_with_our_sentence(tmp_path: Path) -> None:
    with pytest.raises(DlmCompatError, match="there is no base model 'gpt-17'"):
        resolve_dlm(_document(tmp_path, base="gpt-17"))


def test_the_current_version_is_found_where_the_store_keeps_it(
    tmp_path: Path, adapter: Path
) -> None:
    kept = _commit(adapter)
    found = resolve_dlm(_document(tmp_path)).adapter_path
    assert found == kept
    assert (kept / "adapter_config.json").is_file()


def test_a_suite_is_generated_from_our_sections(tmp_path: Path, adapter: Path) -> None:
    kept = _commit(adapter)
    path = _document(tmp_path)
    spec = build_spec_dict(resolve_dlm(path), dlm_source=str(path))
    assert spec["models"]["base"]["base"] == BASE_MODELS["pocket"].hf_id
    assert spec["models"]["ft"]["adapter"] == str(kept)
    kinds = {item["kind"] for item in spec["suite"]}
    assert {"delta_kl", "section_internalization", "preference_flip"} <= kinds


def test_the_evaluation_backend_loads_our_base_and_adapter_and_can_tell_them_apart(
    tmp_path: Path, adapter: Path
) -> None:
    from dlm_sway.backends.hf import HuggingFaceDifferentialBackend
    from dlm_sway.core.model import ModelSpec

    _commit(adapter)
    handle = resolve_dlm(_document(tmp_path))
    assert handle.adapter_path is not None
    backend = HuggingFaceDifferentialBackend(
        base_spec=ModelSpec(base=handle.base_model, device="cpu", dtype="fp32"),
        adapter_path=handle.adapter_path,
    )
    question, answer = "When is the lamp lit?", " At dusk."
    with backend.as_base() as view:
        base = view.logprob_of(question, answer)
    with backend.as_finetuned() as view:
        tuned = view.logprob_of(question, answer)
    assert np.isfinite([base, tuned]).all()
    assert abs(base - tuned) > 0.1
