"""What a short command costs beside importing its libraries: `uv run python benchmarks/start.py`.

Processor time of whole processes, as medians of rounds in which every command has its turn. Help
pages are compared with `import typer, rich`, of which they are allowed 1.3 times, short commands
with `import typer, rich, pydantic`, of which they are allowed twice. All of it runs from byte code,
as where it is installed. `--before FOLDER` measures another checkout in the same turns,
`--modules COMMAND` lists what the process of a command imports, the slowest first, and `--training`
what a short training does, by whose it is.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import dlm

MAIN = "import sys; sys.argv[0] = 'dlm'; from dlm.cli.app import main; main()"
HELP = ("--help", "train --help", "prompt --help", "synth --help", "improve --help", "base --help")
SHORT = (
    "show {path}",
    "history {path}",
    "exam list {path}",
    "replay stats {path}",
    "metrics list {path}",
    "synth list {path}",
    "init {new}",
)
# What a module counts to: the longest beginning of its name that stands here.
OWNERS = {
    "torch": ("torch", "torchgen"),
    "torch, its compiler": (
        *("torch._dynamo", "torch._inductor", "torch._functorch", "torch._higher_order_ops"),
        *("torch.export", "torch.fx.experimental", "triton", "sympy", "mpmath"),
    ),
    "torch, several processes": ("torch.distributed",),
    "transformers": ("transformers", "tokenizers", "safetensors"),
    "peft": ("peft",),
    "trl": ("trl",),
    "accelerate": ("accelerate",),
    "tables": ("datasets", "pandas", "pyarrow", "dateutil", "pytz"),
    "hub": ("huggingface_hub", "httpx2", "httpcore2", "h11", "trio", "anyio", "fsspec"),
    "numpy": ("numpy",),
    "dlm": ("dlm",),
}
DOCUMENT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

# The shed

The spare key hangs inside the drainpipe.

::instruction::
### Q
Where does the key hang?

### A
In the drainpipe.
::
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--before", metavar="FOLDER", type=Path, help="another checkout of dlm")
    parser.add_argument("--modules", metavar="COMMAND")
    parser.add_argument("--training", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"DLM_HOME": str(folder / "home"), "PYTHONPYCACHEPREFIX": str(folder / "pyc")}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        path = folder / "shed.dlm"
        path.write_text(DOCUMENT, "utf-8")
        took([sys.executable, "-c", MAIN, "train", str(path), "--max-steps", "2"])
        if options.modules is not None:
            modules(options.modules, folder)
            return
        if options.training:
            training(folder)
            return
        for bare, commands, allowed in (
            ("import typer, rich", HELP, 1.3),
            ("import typer, rich, pydantic", SHORT, 2.0),
        ):
            print(f"\nprocessor time of `{bare}`; allowed {allowed} times that")
            compare(bare, commands, folder, options)


def compare(
    bare: str, commands: tuple[str, ...], folder: Path, options: argparse.Namespace
) -> None:
    """Print the bare import, then each command: its milliseconds and its multiple of the import's,
    and the multiple of the other checkout's."""
    here = Path(dlm.__file__).parents[1]
    checkouts = [here] if options.before is None else [options.before.resolve() / "src", here]
    runs = [(bare, here), *((command, source) for command in commands for source in checkouts)]
    found: dict[tuple[str, Path], list[float]] = {run: [] for run in runs}
    for turn in range(options.rounds + 1):
        for name, source in runs:
            words = [] if name == bare else arguments(name, folder, f"{turn}-{source == here}")
            program = [sys.executable, "-c", bare if name == bare else MAIN, *words]
            seconds = took(program, source)
            if turn:  # the first writes byte code
                found[name, source].append(seconds)
    medians = {run: statistics.median(each) for run, each in found.items()}
    unit = medians[bare, here]
    for name in (bare, *commands):
        shown = name.replace(" {path}", "").replace(" {new}", "")
        text = f"{shown:<30}{1000 * medians[name, here]:5.0f} ms{medians[name, here] / unit:7.2f}"
        if options.before is not None and name != bare:
            text += f"   before{medians[name, checkouts[0]] / unit:7.2f}"
        print(text)


def arguments(command: str, folder: Path, turn: str) -> list[str]:
    new = folder / f"new-{turn}.dlm"
    return [word.format(path=folder / "shed.dlm", new=new) for word in command.split()]


def took(command: list[str], source: Path | None = None) -> float:
    """Seconds of processor time of a process that ends well, with the modules under `source`."""
    path = os.environ if source is None else {**os.environ, "PYTHONPATH": str(source)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=path)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[2:]}: {said.decode()}")
    return usage.ru_utime + usage.ru_stime


def modules(command: str, folder: Path) -> None:
    """Own microseconds of each import of a command, the slowest first."""
    found = imported(command, folder)
    for name in sorted(found, key=lambda one: -found[one])[:40]:
        print(f"{found[name]:>8} us  {name}")


def training(folder: Path) -> None:
    """Milliseconds, share and number of the modules that a short training imports, by owner."""
    runs = [imported("train {path} --fresh --max-steps 2", folder) for _ in range(3)]
    least = {name: min(run.get(name, own) for run in runs) for name, own in runs[0].items()}
    owners: dict[str, list[int]] = {}
    for name, own in least.items():
        owners.setdefault(owner(name), []).append(own)
    whole = sum(least.values())
    for name, each in sorted(owners.items(), key=lambda one: -sum(one[1])):
        print(f"{name:<26}{sum(each) / 1000:6.0f} ms{sum(each) / whole:6.0%}{len(each):6}")
    print(f"{'in all':<26}{whole / 1000:6.0f} ms{'':6}{len(least):6}")


def owner(module: str) -> str:
    named = [(begin, name) for name, begins in OWNERS.items() for begin in begins]
    fitting = [pair for pair in named if f"{module}.".startswith(f"{pair[0]}.")]
    return max(fitting, key=lambda pair: len(pair[0]))[1] if fitting else "others, and Python's own"


def imported(command: str, folder: Path) -> dict[str, int]:
    """The modules that the process of a command imports, each with its own microseconds."""
    run = [sys.executable, "-X", "importtime", "-c", MAIN, *arguments(command, folder, "0")]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    lines = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr)
    return {name: int(own) for own, name in lines}


if __name__ == "__main__":
    main()
