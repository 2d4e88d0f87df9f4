"""What synthesis teaches: answers to prose facts after training, and after training on its pairs.

    uv run python benchmarks/synth.py FILE.dlm… [--per-section 2] [--rounds 1] [--show] [--json]

Beside each document lies FILE.eval.jsonl with lines {"id", "kind", "question", "key": [...]}; those
of kind `prose` ask for facts that stand in no pair. Everything runs as a user runs it, in an empty
DLM_HOME, on a copy: train, ask, `dlm synth instructions --teacher self --apply`, train, ask again.
An answer is right when it contains any of the keys, whatever the case.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from learn import ask_trained

from dlm.doc.parser import parse_file
from dlm.eval.answers import has_key


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("documents", type=Path, nargs="+")
    parser.add_argument("--per-section", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1, help="how often synth and train follow")
    parser.add_argument("--teacher", default="self")
    parser.add_argument("--show", action="store_true", help="print the pairs and prose answers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    for document in options.documents:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DLM_HOME"] = f"{folder}/home"
            results[document.stem] = run(document, Path(folder), options)
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for name, rows in results.items():
        print(name)
        for row in rows:
            print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))


def run(original: Path, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row after each training: right answers by kind, pairs in the document, seconds so far."""
    document = folder / original.name
    shutil.copy(original, document)
    lines = original.with_suffix(".eval.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()]
    rows: list[dict[str, Any]] = []
    began = time.monotonic()
    dlm("train", str(document))
    rows.append(row("trained", document, questions, began, options.show))
    for number in range(1, options.rounds + 1):
        chosen = ["--teacher", options.teacher, "--per-section", str(options.per_section)]
        said = dlm("synth", "instructions", str(document), *chosen, "--apply")
        funnel = next(line for line in said.splitlines() if line.startswith("generated"))
        dlm("train", str(document))
        rows.append(row(f"synth {number}", document, questions, began, options.show))
        rows[-1]["funnel"] = funnel
    if options.show:
        for section, pair in parse_file(document).pairs():
            if section.provenance:
                print(
                    f"    Q {pair.question}\n    A {pair.answer}\n    S "
                    f"{section.provenance.extra.get('source', '')}\n"
                )
    return rows


def row(
    name: str, document: Path, questions: list[dict[str, Any]], began: float, show: bool
) -> dict[str, Any]:
    seconds = time.monotonic() - began
    answers = ask_trained(document, [str(item["question"]) for item in questions])
    right: dict[str, list[bool]] = defaultdict(list)
    for question, answer in zip(questions, answers, strict=True):
        right[question["kind"]].append(has_key(answer, question["key"]))
        if show and question["kind"] == "prose":
            mark = "+" if right["prose"][-1] else "-"
            print(f"    {mark} {name}: {question['question']} | {answer}")
    counts = {kind: f"{sum(hits)}/{len(hits)}" for kind, hits in right.items()}
    pairs = len(list(parse_file(document).pairs()))
    return {"after": name, **counts, "pairs": pairs, "seconds": round(seconds)}


def dlm(*arguments: str) -> str:
    command = [sys.executable, "-m", "dlm.cli.app", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


if __name__ == "__main__":
    main()
