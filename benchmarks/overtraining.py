"""What too much training does: the scorecard of an automatic budget beside that of many epochs.

    uv run python benchmarks/overtraining.py examples/rowing-shed.dlm --epochs 300

Both start from the base, each in a store of its own under `--home`, where an interrupted long run
goes on when the script is started again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SHOWN = (
    ("recall", "right"),
    ("recall", "nll"),
    ("generalisation", "right"),
    ("prose", "perplexity"),
    ("drift", "texts"),
    ("drift", "questions"),
    ("drift", "worse"),
    ("drift", "spilled"),
    ("coherence", "coherence"),
    ("coherence", "ends"),
    ("coherence", "steady"),
    ("coherence", "fluent"),
    ("overall", "overall"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--home", type=Path, default=None)
    options = parser.parse_args()
    home = options.home or Path(tempfile.mkdtemp())
    runs = {
        "auto": trained(options.document, home / "auto", []),
        f"{options.epochs} epochs": trained(
            options.document, home / "long", ["--epochs", str(options.epochs)]
        ),
    }
    print_table(runs)


def trained(document: Path, home: Path, options: list[str]) -> dict[str, Any]:
    """Train as a user would; goes on with an interrupted run, and trains nothing twice."""
    kept = home / "report.json"
    if kept.exists():
        return dict(json.loads(kept.read_text("utf-8")))
    home.mkdir(parents=True, exist_ok=True)
    dlm = [sys.executable, "-m", "dlm.cli.app", "train", str(document), "--json"]
    environment = {**os.environ, "DLM_HOME": str(home)}
    for arguments in ([*dlm, "--resume"], [*dlm, *options]):
        done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, check=False)
        if done.returncode == 0:
            kept.write_bytes(done.stdout)
            return dict(json.loads(done.stdout))
    sys.exit(done.returncode)


def print_table(runs: dict[str, dict[str, Any]]) -> None:
    """One column a run, one row a figure."""
    print(f"{'':<26}" + "".join(f"{name:>26}" for name in runs))
    for group, name in SHOWN:
        cells = (figure_text(run["scorecard"][group][name]) for run in runs.values())
        print(f"{group + ' ' + name:<26}" + "".join(f"{cell:>26}" for cell in cells))
    for fact in ("epochs", "steps", "seconds"):
        cells = (f"{run[fact]:.0f}" for run in runs.values())
        print(f"{fact:<26}" + "".join(f"{cell:>26}" for cell in cells))
    for name, run in runs.items():
        print(f"{name}: stopped at {run['stop_reason']}")


def figure_text(figure: dict[str, Any]) -> str:
    """`0.76 (0.66 to 0.84)`, or why there is none."""
    if figure["value"] is None:
        return str(figure["note"])
    between = "" if figure["low"] is None else f" ({figure['low']:.2f} to {figure['high']:.2f})"
    return f"{figure['value']:.2f}{between}"


if __name__ == "__main__":
    main()
