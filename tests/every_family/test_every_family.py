"""Every family of models goes through the whole cycle, from a document to an export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from family_kit import FAMILIES, Family, write_family

from dlm.data.chat import Codec, show_mask
from dlm.data.lessons import Lesson
from dlm.data.rows import Row, RowKind
from dlm.engine.decoding import Job, Tail, decode
from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model, score_in_parts
from dlm.hardware import Plan
from dlm.memory import Dtype
from dlm.tensors import read_tensors
from dlm.train.trainer import Optimisation, RowTrainer, StepReport

QUICK = ("gemma-3",)
EACH = pytest.mark.parametrize(
    "family",
    [
        pytest.param(one, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, one in FAMILIES.items()
    ],
)
PLAN = Plan("cpu", "float32", 4, 1, False, 1, 0.0, ())
SYSTEM = "You answer briefly."
QUESTION, ANSWER = "Which colour is the lamp?", "It is teal."
DOCUMENT = f"""---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: ./base
system_prompt: {SYSTEM}
training:
  learning_rate: 0.01
  rehearsal:
    enabled: false
---
The lamp turns every nine seconds at night.

::instruction::
### Q
{QUESTION}

### A
{ANSWER}

### Q !probe
Who keeps the lamp?

### A
Old Marten keeps it.
::
"""

Dlm = Callable[..., dict[str, Any]]


@pytest.fixture
def dlm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dlm:
    """The command line in this process: what is printed as JSON, or the error it ends with."""
    from dlm.cli.app import main

    def run(*words: str, ok: bool = True) -> dict[str, Any]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["dlm", *words])
        try:
            main()
            code: Any = 0
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capsys.readouterr()
        assert code == (0 if ok else 1), err
        return json.loads(out) if ok else {"error": err}

    monkeypatch.chdir(tmp_path)
    return run


@EACH
def test_the_whole_cycle(family: Family, tmp_path: Path, dlm: Dlm) -> None:
    base = write_family(family, tmp_path / "base")
    path = tmp_path / "lamp.dlm"
    path.write_text(DOCUMENT, encoding="utf-8")

    trained = dlm("train", "lamp.dlm", "--max-steps", "4", "--json")
    assert (trained["version"], trained["steps"]) == ("v0001", 4)
    check_adapter(family, base, Path(trained["path"]))
    learned = dlm("eval", "lamp.dlm", "--json")
    figures = learned["figures"]["recall"]
    assert figures["nll"]["value"] < figures["base_nll"]["value"]
    said = dlm("prompt", "lamp.dlm", QUESTION, "--closed", "--max-tokens", "8", "--json")

    path.write_text(DOCUMENT.replace(ANSWER, "It is green now."), encoding="utf-8")
    again = dlm("train", "lamp.dlm", "--max-steps", "4", "--json")
    assert (again["version"], again["previous"]) == ("v0002", "v0001")
    dlm("rollback", "lamp.dlm", "--json")
    path.write_text(DOCUMENT, encoding="utf-8")
    back = dlm("prompt", "lamp.dlm", QUESTION, "--closed", "--max-tokens", "8", "--json")
    assert (back["version"], back["answer"]) == ("v0001", said["answer"])
    assert dlm("export", "lamp.dlm", "--target", "merged", "--check", "--json")["checked"]["same"]
    exported = dlm("export", "lamp.dlm", "--target", "gguf", "--check", "--json", ok=family.gguf)
    assert family.gguf or "cannot be written as GGUF" in exported["error"]


def check_adapter(family: Family, base: Path, adapter: Path) -> None:
    """It sits on every linear layer of every block, and on nothing else."""
    found = {
        name.removeprefix("base_model.model.").partition(".lora_")[0]
        for name in read_tensors(adapter / "adapter_model.safetensors")
    }
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    assert len(found) == family.layers * config["num_hidden_layers"]
    assert all(name.startswith("model.layers.") for name in found)


class Then(datetime):
    """The day that templates are told."""

    @classmethod
    def now(cls, tz: Any = None) -> Then:
        return cls(2024, 7, 26)


def talk(*turns: str) -> list[dict[str, str]]:
    return [
        {"role": ("user", "assistant")[number % 2], "content": text}
        for number, text in enumerate(turns)
    ]


@EACH
def test_conversations_are_read_as_transformers_reads_them(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Special tokens stand where they belong, once; the mask covers the answer and its end."""
    from transformers import AutoTokenizer

    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Then)
    folder = write_family(family, tmp_path, weights=False)
    theirs = AutoTokenizer.from_pretrained(folder)

    def their_ids(turns: Any, **more: Any) -> list[int]:
        told = theirs.apply_chat_template(turns, tokenize=True, enable_thinking=False, **more)
        return list(told["input_ids"])

    for system in (None, SYSTEM):
        codec = Codec.load(folder, system_prompt=system)
        opening = [{"role": "system", "content": system}] if system else []
        question = QUESTION
        if system and not codec.takes_system:
            opening, question = [], f"{system}\n\n{QUESTION}"
        turns: Any = talk(QUESTION, "I do not know.", "Who keeps it?")
        for asked in (talk(QUESTION), turns):
            wanted = [*opening, {**asked[0], "content": question}, *asked[1:]]
            assert codec.prompt_ids(asked) == their_ids(wanted, add_generation_prompt=True)
        row = codec.pair(QUESTION, ANSWER)
        if not system or family.name != "mistral":  # it writes one only where a question is open
            whole = their_ids([*opening, *talk(question, ANSWER)])
            assert row.ids == whole[: len(row.ids)]
        learned = "".join(text for text, counts in show_mask(codec, row) if counts)
        assert learned.strip() == f"{ANSWER}{family.turn_end}"
        if begin := codec.special_tokens.get("bos_token"):
            only = begin not in (family.turn_end, "<|im_start|>")
            assert not only or row.ids.count(theirs.convert_tokens_to_ids(begin)) <= 1
    ends = {codec.decode([one], skip_special=False) for one in codec.stop_ids}
    assert {family.turn_end, *family.ends} <= ends


@EACH
def test_answers_and_losses_are_those_of_transformers(family: Family, tmp_path: Path) -> None:
    """Prompts of unequal length in one batch, longer than any window; and what a row loses."""
    folder = write_family(family, tmp_path)
    codec = Codec.load(folder)
    model = Model.load(folder, PLAN, new_adapter=LoraSettings(4, 8, 0.0, "all-linear", 1))
    torch = model.torch
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in model.network.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    words = " ".join(f"{QUESTION} {ANSWER}" for _ in range(4))
    prompts = [codec.prompt_ids(one) for one in (talk(QUESTION), talk(words), talk("Who?"))]
    found = answers_of(model, prompts, codec.pad_id)
    for prompt, answer in zip(prompts, found, strict=True):
        ids = torch.tensor([prompt])
        told = model.network.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
        )
        assert answer == told[0, len(prompt) :].tolist()
    rows = [codec.pair(QUESTION, ANSWER), codec.prose(words)]
    for row, score in zip(rows, model.score(rows, pad_id=codec.pad_id), strict=True):
        ids = torch.tensor([row.ids])
        labels = torch.tensor(
            [[t if on else -100 for t, on in zip(row.ids, row.supervised, strict=True)]]
        )
        with model.inference():
            loss = model.network(input_ids=ids, labels=labels).loss.item()
        assert score.nll == pytest.approx(loss, abs=1e-4)
        assert score_in_parts(model, row, 16).nll == pytest.approx(loss, abs=1e-4)


def answers_of(model: Model, prompts: list[list[int]], pad_id: int) -> list[list[int]]:
    """Twelve tokens after each prompt, asked together."""
    answers: list[list[int]] = [[] for _ in prompts]

    def done(index: int, tails: list[Tail]) -> None:
        answers[index] = tails[0].ids

    jobs = [Job(ids, 1, 12, 0.0, 1.0, str(number)) for number, ids in enumerate(prompts)]
    decode(model, jobs, stop_ids=frozenset(), pad_id=pad_id, done=done)
    return answers


@EACH
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradient_checkpointing_changes_nothing_that_is_learned(
    family: Family, dtype: Dtype, tmp_path: Path
) -> None:
    """Same losses step by step, and the same adapter, as with all activations kept."""
    folder = write_family(family, tmp_path)
    codec = Codec.load(folder)
    pair = Lesson(ANSWER, QUESTION)
    row = Row.of(RowKind.PAIR, codec.pair(QUESTION, ANSWER), pair)
    kept = [steps_of(folder, row, dtype, checkpointing=less) for less in (False, True)]
    (losses, weights), (others, again) = kept
    assert losses[-1] < losses[0]
    assert others == pytest.approx(losses, abs=1e-5)
    assert all((weights[name] - again[name]).abs().max() < 1e-5 for name in weights)


def steps_of(
    folder: Path, row: Row, dtype: Dtype, *, checkpointing: bool
) -> tuple[list[float], dict[str, Any]]:
    """The losses of three steps on one row, and the adapter after them."""
    plan = replace(PLAN, dtype=dtype)
    settings = LoraSettings(4, 8, 0.0, "all-linear", 1)
    model = Model.load(folder, plan, new_adapter=settings, trainable=True)
    losses: list[float] = []

    def watch(report: StepReport) -> None:
        losses.append(report.loss)

    how = Optimisation(0.01, "constant", 0.0, 2, 1, checkpointing, 1)
    trainer = RowTrainer(model, pad_id=0)
    trainer.fit([row] * 6, how, watch)
    trainer.close()
    named = model.network.named_parameters()
    return losses, {name: one.detach().clone() for name, one in named if "lora_" in name}
