"""A base from a local folder, of an architecture that only the torch engine runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlm.doc.parser import parse_file
from dlm.engine.answer import Sampling
from dlm.engine.asking import open_asking
from dlm.errors import BaseModelError
from dlm.store.store import Store
from dlm.train.options import Progress, TrainOptions
from dlm.train.run import train

TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: {base}
training:
  learning_rate: 0.02
  rehearsal:
    enabled: false
---
::instruction::
### Q
What colour is the lamp?

### A
It is teal.
::
"""


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory, pocket_folder: Path) -> Path:
    """A random Qwen2 of two layers, with the tokenizer of pocket."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("bases") / "qwen"
    config = Qwen2Config(
        vocab_size=8192,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=3,
        pad_token_id=1,
    )
    torch.manual_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(pocket_folder / name, folder / name)
    return folder


@pytest.fixture
def document(tmp_path: Path, qwen: Path) -> Path:
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT.format(base=qwen), "utf-8")
    return path


@pytest.mark.slow
def test_it_trains_and_answers_through_torch(document: Path) -> None:
    report = train(parse_file(document), TrainOptions(epochs=30), Progress())
    assert report is not None
    losses = report.outcome.losses
    # Nats a token. The base is random, and low-rank changes of two layers move it slowly.
    assert min(losses[-5:]) < losses[0] - 0.3
    asking = open_asking(parse_file(document), version=None, base_only=False)
    assert asking.answerer.engine_name == "torch"
    question = {"role": "user", "content": "What colour is the lamp?"}
    pieces: list[str] = []
    answer = asking.answerer.answer([question], Sampling(max_tokens=8), pieces.append)  # type: ignore[list-item]
    assert answer.tokens > 0
    assert "".join(pieces).strip() == answer.text
    bare = open_asking(parse_file(document), version=None, base_only=True)
    assert bare.answerer.answer([question], Sampling(max_tokens=8)).text != answer.text  # type: ignore[list-item]


def test_its_adapter_is_refused_on_another_base(document: Path, tmp_path: Path) -> None:
    trained = train(parse_file(document), TrainOptions(max_steps=1), Progress())
    assert trained is not None
    other = tmp_path / "other.dlm"
    other.write_text(TEXT.format(base="pocket"), "utf-8")
    with pytest.raises(BaseModelError, match="is another model"):
        open_asking(parse_file(other), version=None, base_only=False)
    with pytest.raises(BaseModelError, match="an adapter fits only"):
        train(parse_file(other), TrainOptions(), Progress())
    with Store.open(parse_file(document).frontmatter.dlm_id) as store:
        current = store.current()
    assert current is not None
    assert current.name == trained.version.name
