"""One training in one process and in several: the losses, step by step, side by side.

    uv run python benchmarks/ranks.py FILE.dlm [--processes 2] [--epochs 6] [--json]

FILE is trained by one process, by `torchrun --nproc-per-node N`, and by torchrun again, each in a
store of its own. The losses must be those of one process within float error, and the two trainings
by several processes must give the same bytes. All processes share the cores of this machine, so
that the seconds say what the exchange costs there, not what more machines gain.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dlm.doc.parser import parse_file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("document", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    several = [*torchrun, "--nproc-per-node", str(options.processes), "-m", "dlm"]
    command = ["train", str(options.document), "--epochs", str(options.epochs), "--phase", "sft"]
    runs = [run([*how, *command], options.document) for how in ([], several, several)]
    if options.json:
        print(json.dumps(runs, indent=2))
        return
    report(runs, options.processes)


def run(command: list[str], document: Path) -> dict[str, Any]:
    """Train in a store of its own; the losses and the digest of what came of it."""
    if command[0] == "train":
        command = [sys.executable, "-m", "dlm", *command]
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DLM_HOME": home}
        )
        seconds = time.monotonic() - began
        store = Path(home) / "store" / parse_file(document).frontmatter.dlm_id
        (version,) = (store / "adapter" / "versions").iterdir()
        record = json.loads((version / "training_run.json").read_text("utf-8"))
    return {
        "losses": record["run"]["figures"]["losses"],
        "sha256": record["files"]["adapter_model.safetensors"],
        "seconds": round(seconds),
    }


def report(runs: list[dict[str, Any]], processes: int) -> None:
    alone, together, again = runs
    print(f"{'step':>6}{'one':>12}{processes:>12}{'difference':>14}")
    losses = list(zip(alone["losses"], together["losses"], strict=True))
    every = max(1, len(losses) // 12)
    for step, (one, several) in enumerate(losses, 1):
        if step % every == 0 or step in (1, len(losses)):
            print(f"{step:>6}{one:>12.5f}{several:>12.5f}{abs(one - several):>14.5f}")
    print(f"largest difference: {max(abs(one - several) for one, several in losses):.5f}")
    print(f"the same bytes twice: {'yes' if together['sha256'] == again['sha256'] else 'NO'}")
    print(f"seconds: {alone['seconds']}, {together['seconds']}, {again['seconds']}")


if __name__ == "__main__":
    main()
