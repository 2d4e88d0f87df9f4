"""Train a base from tokenised documents, on one GPU or on a CPU.

    python examples/pretrain/pretrain.py --data DIR --tokenizer DIR --out DIR \\
        --config pocket-30m (--minutes 20 | --tokens 1.5e9) [--resume]

OUT gets `log.csv`, `checkpoint.pt` and `model`, the base as a Hugging Face folder. Ctrl-C, or being
killed, loses nothing that a checkpoint holds: `--resume` goes on. With a budget of tokens a resumed
run on a CPU ends in the same bytes as one that never stopped. Needs torch, numpy and safetensors
alone, so that a rented GPU needs nothing else.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

import torch
from recipe.command import run
from recipe.export import check_tokenizer
from recipe.llama import CONFIGS
from recipe.training import Settings, Training

from dlm.errors import DlmError, UsageError


def main() -> None:
    options = _parse()
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("this machine has no CUDA device", hint="leave out --device")
    shape = CONFIGS[options.config]
    check_tokenizer(options.tokenizer, shape)
    on_gpu = device.type == "cuda"
    micro = int(options.micro_tokens or (65536 if on_gpu else 4096))
    settings = Settings(
        config=options.config,
        seed=options.seed,
        rows=max(1, micro // shape.context),
        accumulate=max(1, int(options.step_tokens or (262144 if on_gpu else 8192)) // micro),
        attention=options.attention,
        compile=on_gpu and not options.no_compile,
        peak_tflops=options.peak_tflops,
    )
    tokens = None if options.tokens is None else int(options.tokens)
    training = Training(settings, device, options.data, options.tokenizer, options.out)
    training.begin(tokens, options.minutes, resume=options.resume)
    with _stop_on_signals(training):
        finished = training.run(save_every=60 * options.save_minutes)
    if not finished:
        raise DlmError(
            f"stopped by the owner at step {training.step}; the checkpoint is kept",
            hint="the same command with --resume goes on",
        )
    print(options.out / "model")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="what curriculum.py wrote")
    parser.add_argument("--tokenizer", type=Path, required=True, help="what tokenizer.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="pocket-30m")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="of training, the compiler included")
    budget.add_argument("--tokens", type=float, help="to be trained on, such as 1.5e9")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: CUDA where there is one"
    )
    parser.add_argument("--step-tokens", type=float, help="default 262144 on CUDA, 8192 on CPU")
    parser.add_argument("--micro-tokens", type=float, help="default 65536 on CUDA, 4096 on CPU")
    parser.add_argument("--attention", choices=("auto", "flex", "sdpa"), default="auto")
    parser.add_argument("--no-compile", action="store_true", help="on CUDA; a CPU never compiles")
    parser.add_argument("--peak-tflops", type=float, help="of a chip the log knows no peak of")
    parser.add_argument("--save-minutes", type=float, default=5, help="between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class _stop_on_signals:
    """While this is open, Ctrl-C and SIGTERM end the training after the step under way."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def __enter__(self) -> None:
        self._before = {
            number: signal.signal(number, lambda *_: self._training.stop())
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    run(main)
