"""The table of base models, and the promises other tools rely on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlm.base_models import BASE_MODELS, BaseModel
from dlm.base_models.folder import count_parameters, missing_file, read_json
from dlm.base_models.registry import BASE_MODELS as TABLE, learning_rate

HUB = [base for base in BASE_MODELS.values() if base.folder is None and base.wheel is None]
DOCS = Path(__file__).parents[2] / "docs" / "base-models.md"


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE["other"] = BASE_MODELS["pocket"]  # type: ignore[index]


@pytest.mark.parametrize("base", BASE_MODELS.values(), ids=lambda base: base.key)
def test_every_row_is_found_under_its_key_and_complete(base: BaseModel) -> None:
    assert BASE_MODELS[base.key] is base
    assert re.fullmatch(r"[a-z0-9.-]+", base.key)
    assert base.size_gb_fp16 == pytest.approx(base.params * 2 / 1e9, abs=0.005)
    assert base.layers * base.hidden_size * base.vocab_size > 0
    assert base.context_length >= 1024
    assert base.modality == "text"
    assert base.architecture.endswith("ForCausalLM")


@pytest.mark.parametrize("base", BASE_MODELS.values(), ids=lambda base: base.key)
def test_learning_rates_fall_with_size_and_preference_training_is_far_gentler(
    base: BaseModel,
) -> None:
    assert 1e-4 <= base.sft_learning_rate <= 5e-3
    assert base.preference_learning_rate == pytest.approx(base.sft_learning_rate / 40)
    larger = [other for other in HUB if other.params > base.params]
    assert all(other.sft_learning_rate <= base.sft_learning_rate for other in larger)


@pytest.mark.parametrize("base", HUB, ids=lambda base: base.key)
def test_every_model_of_the_hub_is_pinned_to_a_commit(base: BaseModel) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", base.hf_id)
    assert re.fullmatch(r"[0-9a-f]{40}", base.revision)


def test_no_two_rows_name_the_same_model() -> None:
    assert len({base.hf_id for base in HUB}) == len({base.revision for base in HUB}) == len(HUB)


@pytest.mark.parametrize("base", HUB, ids=lambda base: base.key)
def test_only_licences_with_terms_of_their_own_need_acceptance(base: BaseModel) -> None:
    assert not (base.requires_acceptance and base.license_spdx in {"Apache-2.0", "MIT"})
    assert base.requires_acceptance == base.family.startswith(("llama", "gemma"))


def test_the_row_of_pocket_states_what_its_files_state() -> None:
    pocket = BASE_MODELS["pocket"]
    folder = pocket.folder
    assert folder is not None
    assert missing_file(folder) is None
    config = read_json(folder / "config.json")
    assert pocket.params == count_parameters(folder)
    assert pocket.architecture == config["architectures"][0]
    assert pocket.context_length == config["max_position_embeddings"]
    shape = (config["num_hidden_layers"], config["hidden_size"], config["vocab_size"])
    assert (pocket.layers, pocket.hidden_size, pocket.vocab_size) == shape


def test_the_id_of_pocket_is_what_from_pretrained_takes_as_it_stands() -> None:
    from transformers import AutoConfig, AutoTokenizer

    hf_id = BASE_MODELS["pocket"].hf_id
    assert Path(hf_id).is_absolute()
    assert AutoConfig.from_pretrained(hf_id).hidden_size == BASE_MODELS["pocket"].hidden_size
    assert len(AutoTokenizer.from_pretrained(hf_id)) == BASE_MODELS["pocket"].vocab_size


def test_an_unknown_size_gets_the_most_careful_rate() -> None:
    assert learning_rate(0) == learning_rate(4_000_000_000)


@pytest.mark.parametrize("base", BASE_MODELS.values(), ids=lambda base: base.key)
def test_every_row_stands_in_the_documentation_with_its_licence(base: BaseModel) -> None:
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if f"| `{base.key}` |" in line]
    assert len(rows) == 1
    assert base.license_spdx in rows[0]
    assert base.folder is not None or base.hf_id in rows[0]
