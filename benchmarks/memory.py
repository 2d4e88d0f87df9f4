"""Peak memory of a training step against what `dlm doctor` would have estimated.

    uv run python benchmarks/memory.py [CASE ...]

Each case is a process of its own: it loads the base, adds an adapter of rank 16 and takes three
steps of rows that count whole. Models that are not on this machine are made with random weights in
their real shape, some with fewer layers. Measured is the largest resident memory of the process,
libraries and the reading of the file included.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlm.base_models import BASE_MODELS, resolve
from dlm.base_models.locate import local_folder
from dlm.memory import Dtype, training_gb

CONFIGS = {
    "LlamaForCausalLM": "LlamaConfig",
    "Qwen2ForCausalLM": "Qwen2Config",
    "Qwen3ForCausalLM": "Qwen3Config",
    "SmolLM3ForCausalLM": "SmolLM3Config",
    "Olmo2ForCausalLM": "Olmo2Config",
    "Phi3ForCausalLM": "Phi3Config",
    "Gemma3ForCausalLM": "Gemma3TextConfig",
}
UNTIED = ("olmo-2-1b", "phi-3.5-mini")


@dataclass(frozen=True)
class Case:
    """A base of the registry, with `layers` of its own number, and the rows of one step."""

    base: str
    rows: int
    length: int
    layers: int | None = None
    less: bool = False  # gradient checkpointing
    dtype: Dtype = "float32"

    @property
    def name(self) -> str:
        layers = f":{self.layers}" if self.layers else ""
        less = "+checkpointing" if self.less else ""
        dtype = "+bf16" if self.dtype == "bfloat16" else ""
        return f"{self.base}{layers}/{self.rows}x{self.length}{less}{dtype}"


CASES = (
    Case("qwen2.5-0.5b", 2, 128),
    Case("smollm2-360m", 2, 256),
    Case("qwen3-0.6b", 2, 256, layers=14),
    Case("qwen2.5-0.5b", 2, 256, less=True),
    Case("qwen2.5-0.5b", 2, 256, dtype="bfloat16"),
    Case("llama-3.2-1b", 2, 256, layers=4),
    Case("phi-3.5-mini", 2, 256, layers=4),
    Case("olmo-2-1b", 2, 256, layers=4),
    Case("gemma-3-1b", 1, 256, layers=6),
    Case("gemma-3-270m", 2, 128),
    Case("smollm2-135m-q4", 2, 128),
    Case("smollm2-135m-q4", 4, 256),
    Case("pocket", 8, 128),
    Case("pocket", 8, 512),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="as the table names them")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    named = {case.name: case for case in CASES}
    if options.inside:
        measure(named[options.inside[0]], Path(options.inside[1]))
        return
    print("| base, rows x tokens | parameters | measured | estimated | |", flush=True)
    print("|---|---:|---:|---:|---:|")
    for name in options.cases or named:
        compare(named[name])


def compare(case: Case) -> None:
    """One line of the table."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        folder = folder_of(case, Path(made))
        base = resolve(folder)
        inside = [sys.executable, __file__, "--inside", case.name, str(folder)]
        done = subprocess.run(inside, capture_output=True, text=True, check=True)
    measured = float(done.stdout)
    rank = 16
    estimated = training_gb(
        base, "cpu", case.dtype, case.rows, case.length, rank, checkpointing=case.less
    )
    size = f"{base.params / 1e6:,.0f}M"
    print(
        f"| {case.name} | {size} | {measured:.2f} GB | {estimated:.2f} GB "
        f"| {estimated / measured:.2f} |",
        flush=True,
    )


def folder_of(case: Case, made: Path) -> Path:
    """The base itself where it is here, else one of its shape in `made`, saved in bfloat16."""
    base = resolve(case.base)
    if base.wheel or base.key == "pocket":
        return local_folder(base)
    program = f"import sys; sys.path[:0] = {sys.path[:1]}; from memory import make; "
    program += f"make({case.base!r}, {case.layers}, {str(made)!r})"
    subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return made


def make(key: str, layers: int | None, folder: str) -> None:
    """Write a model of the base's shape with random weights; in a process of its own."""
    import shutil

    import torch
    from transformers import AutoModelForCausalLM

    config = config_of(key, layers)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    pocket = local_folder(resolve("pocket"))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(pocket / name, Path(folder) / name)


def config_of(key: str, layers: int | None) -> Any:
    import transformers

    base = BASE_MODELS[key]
    return getattr(transformers, CONFIGS[base.architecture])(
        vocab_size=base.vocab_size,
        hidden_size=base.hidden_size,
        intermediate_size=base.inner_size,
        num_hidden_layers=layers or base.layers,
        num_attention_heads=base.heads,
        num_key_value_heads=base.kv_heads,
        head_dim=base.head_size,
        tie_word_embeddings=key not in UNTIED,
        bos_token_id=None,
        eos_token_id=3,
        pad_token_id=1,
    )


def measure(case: Case, folder: Path) -> None:
    """Print the peak of three steps in gigabytes."""
    from dlm.data.chat import Encoded
    from dlm.data.lessons import Lesson
    from dlm.data.rows import Row, RowKind
    from dlm.engine.loading import LoraSettings
    from dlm.engine.model import Model
    from dlm.hardware import Plan
    from dlm.train.steps import Optimisation
    from dlm.train.trainer import RowTrainer

    plan = Plan("cpu", case.dtype, case.rows, 1, case.less, 2, 0.0, ())
    shape = LoraSettings(16, 32, 0.0, "all-linear", 0)
    model = Model.load(folder, plan, new_adapter=shape)
    ids = [5 + number % 4000 for number in range(case.length)]
    row = Row.of(RowKind.PROSE, Encoded(ids, [True] * case.length), Lesson("text"))
    how = Optimisation(1e-4, "constant", 0.0, case.rows, 1, case.less, 0)
    trainer = RowTrainer(model, pad_id=1)
    trainer.fit([row] * (3 * case.rows), how, lambda report: None)
    trainer.close()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


if __name__ == "__main__":
    main()
