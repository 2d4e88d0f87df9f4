"""What `dlm improve` is worth: the exam after plain training and after rounds of improvement.

    uv run python benchmarks/improve.py FILE.dlm … [--rounds 2] [--strategy NAME] [--teacher NAME]
                                                   [--json]

Each document must have an exam (`### Q !exam` pairs). It is copied, trained as `dlm train` does and
improved as a user would, with an empty DLM_HOME. Printed are the share of right answers and the
overall before and after, each with its 90 % interval, the seconds of it all, and whether document
and current version are what they were where nothing was promoted. Beside FILE.dlm there may lie
FILE.eval.jsonl with lines {"kind", "question", "key": [...]}: those are asked too, by kind, of both
versions; they are never part of the exam.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DLM = [sys.executable, "-m", "dlm.cli.app"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("documents", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--strategy", default="extraction")
    parser.add_argument("--teacher")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {str(path): measured(path, options) for path in options.documents}
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for name, result in results.items():
        print_result(name, result)


def measured(original: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train and improve a copy of one document."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLM_HOME"] = str(Path(folder) / "home")
        document = Path(shutil.copy(original, folder))
        began = time.monotonic()
        plain = run("train", document)
        trained = time.monotonic() - began
        before = document.read_bytes()
        teacher = ["--teacher", options.teacher] if options.teacher else []
        told = run(
            "improve", "run", document, "--rounds", options.rounds,
            "--strategy", options.strategy, *teacher,
        )  # fmt: skip
        seconds = time.monotonic() - began
        promoted = [one for one in told["rounds"] if one["step"] == "promoted"]
        return {
            "rounds": [round_facts(one) for one in told["rounds"]],
            "outcome": told["outcome"],
            "plain": paper(told["rounds"], plain["version"]),
            "after": paper(told["rounds"], told["current"]),
            "promoted": len(promoted),
            "version_unchanged": told["current"] == plain["version"],
            "document_unchanged": document.read_bytes() == before,
            "seconds_training": trained,
            "seconds": seconds,
            "others": others(original, document, [plain["version"], told["current"]]),
        }


def run(*arguments: object) -> Any:
    """One command as a user runs it, and the JSON it prints."""
    command = [*DLM, *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def paper(rounds: Sequence[dict[str, Any]], version: str) -> dict[str, Any] | None:
    """The figures of a version's exam, without the answers."""
    number = int(version.removeprefix("v"))
    for one in rounds:
        for who in ("champion", "challenger"):
            if one[who] == number and "exam" in one:
                figures: dict[str, Any] = dict(one["exam"][who])
                del figures["answers"]
                return figures
    return None


def round_facts(one: dict[str, Any]) -> dict[str, Any]:
    verdict = one.get("verdict") or {}
    kept = ("name", "step", "teacher", "strategy", "funnel", "diversity", "brings", "steps")
    return {name: one.get(name) for name in kept} | {
        "reasons": verdict.get("reasons", []),
        "contest": verdict.get("contest"),
    }


def others(original: Path, document: Path, versions: list[str]) -> dict[str, list[str]]:
    """Right answers to the questions beside the document, by kind, for each version."""
    from dlm.doc.parser import parse_file
    from dlm.engine.answer import Sampling
    from dlm.engine.asking import open_asking
    from dlm.eval.answers import has_key

    path = original.with_suffix(".eval.jsonl")
    if not path.exists():
        return {}
    questions = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    found: dict[str, list[str]] = defaultdict(list)
    for version in versions:
        asking = open_asking(parse_file(document), version=version, base_only=False)
        right: dict[str, list[bool]] = defaultdict(list)
        for one in questions:
            told = [{"role": "user", "content": one["question"]}]
            answer = asking.answerer.answer(told, Sampling(max_tokens=64)).text
            right[one["kind"]].append(has_key(answer, one["key"]))
        for kind, hits in right.items():
            found[kind].append(f"{sum(hits)}/{len(hits)}")
    return dict(found)


def print_result(name: str, result: dict[str, Any]) -> None:
    print(name)
    for one in result["rounds"]:
        said = "; ".join([one["brings"] or "nothing", *one["reasons"]])
        print(f"  {one['name']}: {one['step']}, {said}")
    for title in ("plain", "after"):
        if result[title] is None:
            print(f"  {title:<6} the exam was not sat: no challenger was trained")
            continue
        right, overall = result[title]["accuracy"], result[title]["overall"]
        print(f"  {title:<6} right {interval(right)}   overall {interval(overall)}")
    for kind, hits in result["others"].items():
        print(f"  {kind:<12} {' → '.join(hits)}")
    if not result["promoted"]:
        same = result["version_unchanged"] and result["document_unchanged"]
        print(f"  no better: {'nothing was changed' if same else 'BUT SOMETHING CHANGED'}")
    print(f"  {result['outcome']}; {result['seconds']:.0f} s in all")


def interval(figure: dict[str, Any]) -> str:
    between = f" [{figure['low']:.2f}, {figure['high']:.2f}]" if figure["low"] is not None else ""
    return f"{figure['value']:.3f}{between} (n = {figure['n']})"


if __name__ == "__main__":
    main()
