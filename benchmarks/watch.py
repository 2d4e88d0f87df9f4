"""From a save to a committed version: seconds of `dlm train --watch`, where they go, and idle CPU.

    uv run python benchmarks/watch.py [--cycles N] [--json]

A document of 30 pairs on the embedded base; each cycle saves it with one answer changed, as an
editor does that replaces the file. The first figures come from a process as a user runs it, clock
from the save to the line that names the new version; the debounce (200 ms) is part of it. The
shares come from the same cycles run in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
PROSE = "\nThe boathouse at Lower Mill has kept rowing boats since the flood of 1954.\n"
FACTS = """What colour are the oars of the club?|They are painted dark green.
Who mends the boats in winter?|Tomas mends them in the long shed.
When does the boathouse open on Sundays?|It opens at half past eight.
How many eights does the club own?|The club owns two eights.
Where is the first aid box?|It hangs beside the kitchen door.
Which boat is called Heron?|Heron is the oldest double scull.
Why may nobody row below the weir?|The current there is too strong.
What does a guest pay for a day?|A guest pays six crowns.
Who keeps the key of the trophy case?|Mrs Oduya keeps that key.
How long is the course to the bridge?|The course is nineteen hundred metres.
What happens when lightning is seen?|Everyone leaves the water at once.
Where do muddy shoes belong?|They stay on the rack outside.
Which oil is used on the riggers?|Light sewing machine oil is used.
When is the regatta held?|The regatta is on the last Saturday of June.
Who may steer the launch?|Only members with a licence may steer it.
How is a cracked shell marked?|A red ribbon is tied to its bow.
What is served after the autumn race?|Barley soup is served to everybody.
Where are life jackets for children stored?|They are in the blue chest.
Which window must never be opened?|The one above the paint store.
How often is the slipway scrubbed?|It is scrubbed every second week.
What is written over the door?|Pull together is written there.
Who founded the club?|Four millers founded it.
How deep is the water at the pontoon?|It is two metres deep.
When are new members welcomed?|They are welcomed on the first of March.
What do coxes carry in their pocket?|They carry a whistle.
Where does the spare rudder lie?|It lies across the rafters.
Which day is kept free for repairs?|Wednesday is kept free.
How does one book a single?|One writes a name on the slate.
What must be wiped after use?|The handles must be wiped dry.
Who is told about damage?|The boat master is told the same day."""
COLOURS = ("ochre", "silver", "violet", "amber", "white", "scarlet", "turquoise", "brown", "gold")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLM_HOME"] = home
        results["as a user runs it"] = run_process(Path(home) / "club.dlm", options.cycles)
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLM_HOME"] = home
        results["where the time goes"] = run_here(Path(home) / "club.dlm", options.cycles)
    print(json.dumps(results, indent=2) if options.json else table(results))


def text(cycle: int) -> str:
    """The document; the answer to one question is another in each cycle."""
    facts = [line.split("|") for line in FACTS.split("\n")]
    colour = "dark green" if cycle == 0 else COLOURS[cycle % len(COLOURS)]
    facts[0][1] = f"They are painted {colour}."
    pairs = [
        f"\n::instruction::\n### Q{' !probe' if number % 6 == 0 else ''}\n{q}\n\n### A\n{a}\n::\n"
        for number, (q, a) in enumerate(facts)
    ]
    return HEAD + PROSE + "".join(pairs)


def save(path: Path, cycle: int) -> None:
    other = path.with_name(".club.swp")
    other.write_text(text(cycle))
    other.replace(path)


def run_process(path: Path, cycles: int) -> dict[str, Any]:
    save(path, 0)
    command = [sys.executable, "-m", "dlm.cli.app", "train", str(path), "--watch", "--json"]
    process = subprocess.Popen(
        [*command, "--max-cycles", str(cycles)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    decoder = json.JSONDecoder()

    def next_line() -> dict[str, Any]:
        assert process.stdout is not None
        value, _ = decoder.raw_decode(process.stdout.readline())
        assert isinstance(value, dict)
        return value

    next_line()
    time.sleep(1)
    idle = idle_share(process.pid, 10.0)
    seconds, steps = [], []
    for cycle in range(1, cycles + 1):
        began = time.monotonic()
        save(path, cycle)
        line = next_line()
        seconds.append(time.monotonic() - began)
        steps.append(line["steps"])
        time.sleep(0.5)
    process.wait()
    return {
        "cycles": cycles,
        "median seconds": round(statistics.median(seconds), 2),
        "fastest": round(min(seconds), 2),
        "slowest": round(max(seconds), 2),
        "median steps": statistics.median(steps),
        "idle CPU %": idle,
    }


def idle_share(pid: int, seconds: float) -> float | None:
    """CPU per cent of one core that a process uses while nothing happens; Linux only."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None

    def used() -> float:
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(seconds)
    return round(100 * (used() - before) / seconds, 2)


def run_here(path: Path, cycles: int) -> dict[str, Any]:
    from dlm.doc.parser import parse_file
    from dlm.train.options import Progress, StepFigures, TrainOptions
    from dlm.train.run import ResidentTrainer

    class Stopwatch(Progress):
        def __init__(self) -> None:
            self.marks = [("plan", time.monotonic())]

        def _mark(self, name: str) -> None:
            self.marks.append((name, time.monotonic()))

        def planned(self, summary: str, warnings: Sequence[str]) -> None:
            self._mark("first step")

        def step(self, figures: StepFigures) -> None:
            if figures.step == 1:
                self._mark("other steps")

        def done(self) -> None:
            self._mark("measure")

        def stage(self, name: str) -> None:
            if name.startswith("measuring"):
                self._mark("measure and commit")

        def shares(self) -> dict[str, float]:
            ends = [*[at for _, at in self.marks[1:]], time.monotonic()]
            found: dict[str, float] = {}
            for (name, at), end in zip(self.marks, ends, strict=True):
                found[name] = found.get(name, 0.0) + end - at
            return found

    all_shares: list[dict[str, float]] = []
    with ResidentTrainer() as trainer:
        save(path, 0)
        trainer.train(parse_file(path), TrainOptions(), Progress())
        for cycle in range(1, cycles + 1):
            save(path, cycle)
            watch = Stopwatch()
            options = TrainOptions(quick=True, max_steps=100)
            trainer.train(parse_file(path), options, watch)
            all_shares.append(watch.shares())
        loads = trainer.workshop.loads
    names = list(all_shares[0])
    medians = {
        f"{name}, s": round(statistics.median(each[name] for each in all_shares), 3)
        for name in names
    }
    return {**medians, "models loaded": loads}


def table(results: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, figures in results.items():
        lines.append(name)
        lines += [f"  {key:<22} {value}" for key, value in figures.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
