"""How well a document is learned: accuracy by kind of question, drift, seconds and memory.

    uv run python benchmarks/learn.py FILE.dlm EVAL.jsonl [--bare] [--show] [--json]

EVAL.jsonl holds lines {"id", "kind", "question", "key": [...]}; an answer is right when it contains
any of the keys, whatever the case. Training runs as a user runs it: `dlm train` in a process of its
own, with an empty DLM_HOME. `--bare` also trains the same pairs and prose with a plain LoRA loop
(rank 16, learning rate 2e-3, 20 epochs, no rehearsal) for comparison, and prints the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from dlm.eval.answers import has_key


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("document", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--bare", action="store_true", help="train a plain LoRA loop too")
    parser.add_argument(
        "--show", action="store_true", help="print every answer that misses its key"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    questions = [
        json.loads(line)
        for line in options.questions.read_text("utf-8").splitlines()
        if line.strip()
    ]

    with tempfile.TemporaryDirectory() as home:
        os.environ["DLM_HOME"] = home
        results = {"dlm train": run_dlm(options.document, questions, show=options.show)}
        if options.bare:
            results["bare loop"] = run_bare(options.document, questions, show=options.show)
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        print_table(results)


def run_dlm(document: Path, questions: list[dict[str, Any]], *, show: bool) -> dict[str, Any]:
    """Train with the command line, then ask every question of the trained version."""
    command = [sys.executable, "-m", "dlm.cli.app", "train", str(document), "--json"]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    wall = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    report = json.loads(done.stdout)
    answers = ask_trained(document, [str(item["question"]) for item in questions])
    return {
        **tally(questions, answers, show=show),
        "drift": report["drift"],
        "wall_s": wall,
        "training_s": report["seconds"],
        "steps": report["steps"],
        "epochs": report["epochs"],
        "memory_mb": memory,
        "stopped": report["stop_reason"],
    }


def ask_trained(document: Path, questions: list[str]) -> list[str]:
    """The answers `dlm prompt --temp 0` gives, from one loaded engine."""
    from dlm.doc.parser import parse_file
    from dlm.engine.answer import Sampling
    from dlm.engine.asking import open_asking

    asking = open_asking(parse_file(document), version=None, base_only=False)
    return [
        asking.answerer.answer(
            [{"role": "user", "content": question}], Sampling(max_tokens=64)
        ).text
        for question in questions
    ]


def run_bare(document: Path, questions: list[dict[str, Any]], *, show: bool) -> dict[str, Any]:
    """A plain loop over the same pairs and prose: what the document alone does to the base."""
    from bare_loop import train_bare

    from dlm.engine.decoding import generate

    began = time.monotonic()
    model, codec, drift, steps, epochs = train_bare(document)
    seconds = time.monotonic() - began
    prompts = [
        codec.prompt_ids([{"role": "user", "content": str(q["question"])}]) for q in questions
    ]
    ids = generate(model, prompts, max_new_tokens=64, stop_ids=codec.stop_ids, pad_id=codec.pad_id)
    answers = [codec.decode(item) for item in ids]
    return {
        **tally(questions, answers, show=show),
        "drift": drift,
        "training_s": seconds,
        "steps": steps,
        "epochs": epochs,
    }


def tally(questions: list[dict[str, Any]], answers: list[str], *, show: bool) -> dict[str, Any]:
    """Right answers by kind, as "right/asked"."""
    right: dict[str, list[bool]] = defaultdict(list)
    for question, answer in zip(questions, answers, strict=True):
        hit = has_key(answer, question["key"])
        right[question["kind"]].append(hit)
        if show and not hit:
            print(
                f"missed {question['kind']} {question['id']}: {question['question']}\n  -> {answer}"
            )
    return {kind: f"{sum(hits)}/{len(hits)}" for kind, hits in right.items()}


def print_table(results: dict[str, dict[str, Any]]) -> None:
    """One column a run."""
    names = list(dict.fromkeys(key for result in results.values() for key in result))
    print(f"{'':<12}" + "".join(f"{name:>28}" for name in results))
    for name in names:
        cells = (result.get(name, "") for result in results.values())
        print(f"{name:<12}" + "".join(f"{_cell(cell):>28}" for cell in cells))


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
