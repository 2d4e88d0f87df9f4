"""The whole recipe on a small corpus: every command, exact resumption, and what comes out of it."""

from __future__ import annotations

import csv
import hashlib
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from recipe.attention import block_mask, dense_mask, flex, sdpa
from recipe.chat_format import Conversation, encode
from recipe.export import SHARD_BYTES
from recipe.llama import CONFIGS, Llama
from recipe.measures.completing import complete
from recipe.optimiser import Muon
from recipe.training import Settings, Training
from safetensors.torch import load_file
from torch import nn

from dlm.data.chat import Codec
from dlm.data.completion import Request
from dlm.engine.resident import Resident, Scored
from dlm.errors import DlmError

RECIPE = Path(__file__).parents[2] / "examples" / "pretrain"
TOKENS = 40_960  # of the whole training: 20 steps
DOCUMENT = """---
dlm_id: 01KAJ9F2H6Y3B8DSQX4M7JT5NC
dlm_version: 15
base_model: {base}
---

::instruction::
### Q
Where does the key hang?

### A
On the north wall.
::
"""


def command(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of the recipe in this process."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(RECIPE / name), run_name="__main__")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A tokenizer, tokenised documents and a trained model, made by the commands."""
    folder = tmp_path_factory.mktemp("work")
    tok, data, out = (str(folder / name) for name in ("tok", "data", "out"))
    with pytest.MonkeyPatch.context() as patch:
        read = ("--corpus", str(corpus))
        sizes = ("--vocab", "1024", "--context", "256")
        command("tokenizer.py", *read, "--out", tok, *sizes, monkeypatch=patch)
        made = ("--tokenizer", tok, "--out", data, "--passes", "1", "--longest", "250")
        command("curriculum.py", *read, *made, "--workers", "1", monkeypatch=patch)
        used = ("--data", data, "--tokenizer", tok, "--out", out, "--config", "tiny")
        some = ("--tokens", str(TOKENS), "--step-tokens", "2048", "--micro-tokens", "1024")
        command("pretrain.py", *used, *some, "--device", "cpu", monkeypatch=patch)
    return folder


def training(work: Path, out: Path, kind: type[Training] = Training) -> Training:
    """The same training as that of `work`, not begun."""
    settings = Settings("tiny", seed=0, rows=4, accumulate=2)
    return kind(settings, torch.device("cpu"), work / "data", work / "tok", out)


def bytes_of(model: Path) -> dict[str, str]:
    files = sorted(path for path in model.iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_loss_falls_and_the_log_says_how_fast(work: Path) -> None:
    text = (work / "out" / "log.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert float(rows[-2]["loss"]) < float(rows[0]["loss"]) - 0.3
    assert float(rows[-1]["plain_loss"]) < 7
    assert float(rows[-1]["chat_loss"]) < 7
    assert int(rows[-1]["tokens"]) == TOKENS
    assert float(rows[0]["tokens_per_second"]) > 0


def test_the_curriculum_says_what_is_in_it_and_keeps_fiction_small(work: Path) -> None:
    said = json.loads((work / "data" / "curriculum.json").read_text("utf-8"))
    assert 0.1 < said["fiction_share_of_plain"] <= 0.2
    assert said["tasks"]["write pairs"]["taken"] > 50
    assert said["tokens"]["held_out_plain"] > 0


def test_processes_share_the_work_and_make_the_same_bytes(
    work: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = ("--corpus", str(corpus), "--tokenizer", str(work / "tok"), "--longest", "250")
    some = ("--passes", "1", "--documents", "300")
    made = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        chosen = ("--out", str(out), "--workers", workers)
        command("curriculum.py", *read, *some, *chosen, monkeypatch=monkeypatch)
        made.append({path.name: bytes_of(path) for path in out.iterdir() if path.is_dir()})
    assert made[0] == made[1]


class Stopped(Training):
    """Stops itself as Ctrl-C would, after seven steps."""

    def _one_step(self, progress: float) -> torch.Tensor:
        if self.step == 6:
            self.stop()
        return super()._one_step(progress)


def test_a_resumed_training_ends_in_the_same_bytes(work: Path, tmp_path: Path) -> None:
    first = training(work, tmp_path, Stopped)
    first.begin(TOKENS, None, resume=False)
    assert not first.run(save_every=1e9)
    assert (first.step, first.tokens) == (7, 7 * 2048)
    second = training(work, tmp_path)
    second.begin(TOKENS, None, resume=True)
    assert second.run(save_every=1e9)
    assert bytes_of(tmp_path / "model") == bytes_of(work / "out" / "model")


def test_another_run_is_not_resumed(work: Path, tmp_path: Path) -> None:
    again = training(work, work / "out")
    with pytest.raises(DlmError, match="made with tokens 40960, not 50000"):
        again.begin(50_000, None, resume=True)
    with pytest.raises(DlmError, match="holds a training already"):
        again.begin(TOKENS, None, resume=False)
    with pytest.raises(DlmError, match=r"holds no checkpoint\.pt"):
        training(work, tmp_path / "none").begin(TOKENS, None, resume=True)


def test_a_budget_of_minutes_ends_in_time(work: Path, tmp_path: Path) -> None:
    short = training(work, tmp_path)
    short.begin(None, 0.03, resume=False)
    assert short.run(save_every=1e9)
    assert short.step >= 1
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_transformers_computes_the_same_from_the_exported_folder(work: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = work / "out" / "model"
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert theirs.config.tie_word_embeddings
    ours = Llama(CONFIGS["tiny"], sdpa)
    ours.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
    ids = torch.randint(4, 1000, (2, 90))
    with torch.no_grad():
        expected = theirs(ids).logits
        found = ours(ids, dense_mask(torch.zeros_like(ids)))
    assert torch.allclose(found, expected, atol=1e-4)


def test_documents_of_a_row_are_read_as_if_they_stood_alone() -> None:
    torch.manual_seed(0)
    model = Llama(CONFIGS["tiny"], sdpa)
    one, two = torch.randint(4, 1000, (1, 40)), torch.randint(4, 1000, (1, 25))
    documents = torch.tensor([[0] * 40 + [1] * 25])
    with torch.no_grad():
        together = model(torch.cat([one, two], dim=1), dense_mask(documents))
        alone = model(two, dense_mask(torch.zeros_like(two)))
    assert torch.allclose(together[:, 40:], alone, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")  # flex says that nothing fuses it here
def test_the_graph_for_a_gpu_is_traced_once_and_computes_the_same() -> None:
    """All of the CUDA path but its kernels: flex masks, autocast, one graph for every batch."""
    torch.manual_seed(0)
    plain, blocks = Llama(CONFIGS["tiny"], sdpa), Llama(CONFIGS["tiny"], flex)
    blocks.load_state_dict(plain.state_dict())
    traced = torch.compile(blocks.loss, backend="eager", fullgraph=True)
    ones = torch.ones(2, 256)
    with (
        torch._dynamo.config.patch(error_on_recompile=True),
        torch.no_grad(),
        torch.autocast("cpu", dtype=torch.bfloat16),
    ):
        for _ in range(3):
            ids = torch.randint(4, 1000, (2, 256))
            documents = (torch.rand(2, 256) < 0.02).long().cumsum(1)
            found = traced(ids, ids, ones, block_mask(documents)) / 512
            expected = plain.loss(ids, ids, ones, dense_mask(documents)) / 512
            assert float(found) == pytest.approx(float(expected), abs=2e-3)


def test_conversations_are_encoded_as_the_template_writes_them(work: Path) -> None:
    from tokenizers import Tokenizer

    folder = work / "out" / "model"
    turns = (("system", "Be brief."), ("user", "What is 1931?\n"), ("assistant", "A year."))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    one = encode(tokenizer, [Conversation("x", turns)])[0]
    codec = Codec.load(folder)
    said: list[Any] = [{"role": role, "content": content} for role, content in turns]
    prompt = codec.prompt_ids(said[:2])
    assert one.ids[: len(prompt)] == prompt
    rest = tokenizer.decode(one.ids[len(prompt) :], skip_special_tokens=False)
    assert rest == "A year.<|im_end|>\n<|endoftext|>"
    taught = [place for place, weight in enumerate(one.weights) if weight == 2]
    assert taught == list(range(len(prompt), len(one.ids) - 2))


def test_the_base_to_come_fits_the_package() -> None:
    shape = CONFIGS["pocket-30m"]
    assert 25e6 < shape.parameters < 35e6
    assert 2 * shape.parameters < 62e6
    assert 2 * shape.vocabulary * shape.hidden < SHARD_BYTES
    tiny = Llama(CONFIGS["tiny"], sdpa)
    assert sum(weight.numel() for weight in tiny.parameters()) == CONFIGS["tiny"].parameters


def test_weights_are_cut_into_small_files(work: Path, tmp_path: Path) -> None:
    from recipe import export

    weights = load_file(work / "out" / "model" / "model.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "SHARD_BYTES", 150_000)
        export.export(weights, CONFIGS["tiny"], work / "tok", tmp_path / "model")
    parts = sorted((tmp_path / "model").glob("*.safetensors"))
    assert len(parts) > 1
    assert max(path.stat().st_size for path in parts) < 160_000
    index = json.loads((tmp_path / "model" / "model.safetensors.index.json").read_text("utf-8"))
    assert set(index["weight_map"]) == set(weights)
    back = {name: tensor for path in parts for name, tensor in load_file(path).items()}
    assert all(torch.equal(back[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize("shape", [(48, 32), (32, 48), (32, 32)])
def test_muon_moves_a_matrix_as_the_one_of_torch_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    pair = Muon([ours], lr=0.02, weight_decay=0.1), torch.optim.Muon([theirs], 0.02, 0.1)
    for _ in range(3):
        gradient = torch.randn(shape)
        for weight, optimiser in zip((ours, theirs), pair, strict=True):
            weight.grad = gradient.clone()
            optimiser.step()
    assert (ours - start).abs().max() > 1e-3
    assert torch.allclose(ours, theirs, atol=2e-3)


def test_dlm_asks_the_exported_folder(work: Path) -> None:
    with Resident.open_base(work / "out" / "model") as base:
        score = base.score([Scored(None, "Some words.")], adapter=False)[0]
        told = complete(base, [Request("Be brief.", "Who are you?", max_new_tokens=4)])
    assert 0 < score.nll < 9
    assert len(told) == 1


@pytest.mark.slow
def test_dlm_trains_on_the_exported_folder(work: Path, tmp_path: Path) -> None:
    document = tmp_path / "notes.dlm"
    document.write_text(DOCUMENT.format(base=work / "out" / "model"), "utf-8")
    said = [sys.executable, "-m", "dlm.cli.app", "train", str(document), "--max-steps", "2"]
    done = subprocess.run([*said, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 2
