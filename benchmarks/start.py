"""What a short command costs beside importing its libraries: `uv run python benchmarks/start.py`.

Processor time of whole processes, as medians of rounds in which every command has its turn. Help
pages are compared with `import typer, rich`, of which they are allowed 1.3 times, short commands
with `import typer, rich, pydantic`, of which they are allowed twice. `--modules COMMAND` lists what
the process of a command imports, the slowest first.
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
    parser.add_argument("--modules", metavar="COMMAND")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLM_HOME"] = str(Path(folder) / "home")
        path = Path(folder) / "shed.dlm"
        path.write_text(DOCUMENT, "utf-8")
        took([sys.executable, "-c", MAIN, "train", str(path), "--max-steps", "2"])
        if options.modules is not None:
            modules(options.modules, Path(folder))
            return
        for bare, commands, allowed in (
            ("import typer, rich", HELP, 1.3),
            ("import typer, rich, pydantic", SHORT, 2.0),
        ):
            print(f"\nprocessor time of `{bare}`; allowed {allowed} times that")
            for name, seconds, ratio in compared(bare, commands, Path(folder), options.rounds):
                print(f"{name:<16}{1000 * seconds:7.0f} ms{ratio:7.2f}")


def compared(
    bare: str, commands: tuple[str, ...], folder: Path, rounds: int
) -> list[tuple[str, float, float]]:
    """The bare import, then each command, with its seconds and its multiple of the import's."""
    found: dict[str, list[float]] = {bare: [], **{command: [] for command in commands}}
    for turn in range(rounds + 1):
        for name in found:
            words = [] if name == bare else arguments(name, folder, turn)
            seconds = took([sys.executable, "-c", bare if name == bare else MAIN, *words])
            if turn:  # the first writes byte code
                found[name].append(seconds)
    medians = {name: statistics.median(each) for name, each in found.items()}
    return [
        (name.replace(" {path}", "").replace(" {new}", ""), each, each / medians[bare])
        for name, each in medians.items()
    ]


def arguments(command: str, folder: Path, turn: int) -> list[str]:
    new = folder / f"new-{turn}.dlm"
    return [word.format(path=folder / "shed.dlm", new=new) for word in command.split()]


def took(command: list[str]) -> float:
    """Seconds of processor time of a process that ends well."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[2:]}: {said.decode()}")
    return usage.ru_utime + usage.ru_stime


def modules(command: str, folder: Path) -> None:
    """Own microseconds of each import of a command, the slowest first."""
    run = [sys.executable, "-X", "importtime", "-c", MAIN, *arguments(command, folder, 0)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    lines = re.findall(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)", done.stderr)
    for own, _, _, name in sorted(lines, key=lambda line: -int(line[0]))[:40]:
        print(f"{int(own):>8} us  {name}")


if __name__ == "__main__":
    main()
