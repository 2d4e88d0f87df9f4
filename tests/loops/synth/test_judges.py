"""Judges behind one protocol; the reward model is a tiny one made here, the rest is real."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from synth_kit import written

from dlm.engine.resident import Resident
from dlm.errors import BaseModelError, JudgeError
from dlm.loops.judges import Question, SwayJudge, open_judge

PASSAGE = "The shed has nine lockers. The spare key hangs inside the drainpipe."
ASKED = "Where does the spare key hang?"
RIGHT = "The spare key hangs inside the drainpipe."
WRONG = "The boats are painted every winter."


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Resident:
    folder = tmp_path_factory.mktemp("judges")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(folder / "home"))
        with Resident.open(written(folder)) as opened:
            return opened


def test_the_passage_sways_the_base_to_what_it_says(resident: Resident) -> None:
    judge = SwayJudge(resident)
    right, wrong = judge.score(ASKED, [RIGHT, WRONG], passage=PASSAGE)
    assert right > judge.threshold > wrong
    assert math.isnan(judge.score(ASKED, [RIGHT])[0])  # neither a passage nor an adapter


def test_scores_do_not_depend_on_the_company(resident: Resident) -> None:
    judge = SwayJudge(resident)
    items = [
        Question(ASKED, (RIGHT, WRONG), passage=PASSAGE),
        Question("What is there?", (WRONG,)),
        Question("How many lockers are there?", ("Nine lockers.",), passage=PASSAGE),
    ]
    together = judge.score_all(items)
    alone = [judge.score_all([item])[0] for item in items]
    assert [len(row) for row in together] == [2, 1, 1]
    assert together[0] == pytest.approx(alone[0], abs=1e-3)
    assert together[2] == pytest.approx(alone[2], abs=1e-3)


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory: pytest.TempPathFactory, pocket_folder: Path) -> Path:
    """A classifier with one output and random weights, beside the tokenizer of the base."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    folder = tmp_path_factory.mktemp("reward")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(pocket_folder / name, folder / name)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        num_labels=1,
        pad_token_id=0,
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_reward_model_scores_whatever_its_company(
    resident: Resident, reward_folder: Path
) -> None:
    judge = open_judge(f"hf:{reward_folder}", resident)
    both = judge.score(ASKED, [RIGHT, WRONG], passage=PASSAGE)
    assert both[0] != both[1]
    assert judge.score(ASKED, [RIGHT], passage=PASSAGE) == pytest.approx(both[:1], abs=1e-4)
    assert math.isnan(judge.score(ASKED, ["dry " * 400])[0])


def test_a_model_that_is_no_reward_model_is_refused(
    resident: Resident, pocket_folder: Path
) -> None:
    with pytest.raises(BaseModelError, match="no reward model"):
        open_judge(f"hf:{pocket_folder}", resident)


@pytest.mark.parametrize("spec", ["jury", "hf:", "cli:", "cli:/no/such/judge", 'cli:a "b'])
def test_an_unknown_judge_is_one_sentence(resident: Resident, spec: str) -> None:
    with pytest.raises(JudgeError):
        open_judge(spec, resident)


def test_an_adapter_at_no_strength_is_the_base_and_at_full_strength_itself() -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from dlm.engine.model import Model

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    lora = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    network = get_peft_model(LlamaForCausalLM(config), lora).eval()
    model = Model(network, plan=None, torch=torch)  # type: ignore[arg-type]
    ids = torch.tensor([[1, 2, 3]])

    def logits() -> torch.Tensor:
        with torch.inference_mode():
            return network(ids).logits

    whole = logits()
    with model.base_only():
        base = logits()
    with model.at_strength(0.0):
        assert torch.allclose(logits(), base, atol=1e-6)
    with model.at_strength(0.5):
        assert not torch.allclose(logits(), base, atol=1e-6)
        assert not torch.allclose(logits(), whole, atol=1e-6)
    assert torch.equal(logits(), whole)
