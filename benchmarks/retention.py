"""What is left of earlier material after edits, each trained on its own.

    uv run python benchmarks/retention.py FILE.dlm EDIT.txt… [--share 0.3 --share 0] [--json]

FILE is trained, then each EDIT is appended to it and trained by `dlm train`, as its owner would.
At the end every question of the document is asked by `dlm prompt`'s engine; an answer is right when
it equals the reference after normalisation or contains it. `--share` sets `training.replay.share`;
0 switches replay off. With several, each runs in a store of its own and gets a column.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from learn import ask_trained

from dlm.data.lessons import lessons_of
from dlm.doc.parser import parse_file
from dlm.eval.answers import score_answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("document", type=Path)
    parser.add_argument("edits", type=Path, nargs="+")
    parser.add_argument("--share", type=float, action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    shares = options.share or [0.3, 0.0]
    results = {f"replay {share:g}": run(options.document, options.edits, share) for share in shares}
    if options.json:
        print(json.dumps(results, indent=2))
        return
    names = list(next(iter(results.values())))
    print(f"{'':<24}" + "".join(f"{name:>14}" for name in results))
    for name in names:
        print(f"{name:<24}" + "".join(f"{result[name]!s:>14}" for result in results.values()))


def run(source: Path, edits: list[Path], share: float) -> dict[str, Any]:
    """Train the document and its edits one after the other; what each still answers at the end."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLM_HOME"] = str(Path(folder) / "home")
        document = Path(folder) / source.name
        document.write_text(with_share(source.read_text("utf-8"), share), encoding="utf-8")
        seconds = [train(document)]
        parts = {source.stem: questions(document)}
        known = answered(document, parts[source.stem])
        for edit in edits:
            before = {question for part in parts.values() for question, _ in part}
            with document.open("a", encoding="utf-8") as file:
                file.write("\n" + edit.read_text("utf-8"))
            seconds.append(train(document))
            parts[edit.stem] = [one for one in questions(document) if one[0] not in before]
        result: dict[str, Any] = {"known at first": f"{len(known)}/{len(parts[source.stem])}"}
        still = set(answered(document, parts[source.stem])) & set(known)
        result["of those, at the end"] = f"{len(still)}/{len(known)}"
        for edit in edits:
            part = parts[edit.stem]
            result[edit.stem[:24]] = f"{len(answered(document, part))}/{len(part)}"
        result["seconds each"] = " ".join(f"{one:.0f}" for one in seconds)
        return result


def with_share(text: str, share: float) -> str:
    """The document with `training.replay.share` set."""
    if "\ntraining:" in text.split("\n---", 2)[0]:
        raise SystemExit("the document sets training already; set training.replay.share there")
    setting = f"training:\n  replay:\n    share: {share:g}\n---"
    return re.sub(r"(?m)^---$", lambda found: setting if found.start() else "---", text, count=2)


def train(document: Path) -> float:
    """Train as a user does, in a process of its own; returns the seconds of training."""
    command = [sys.executable, "-m", "dlm.cli.app", "train", str(document), "--json"]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    report = json.loads(done.stdout)
    return float(report.get("seconds", time.monotonic() - began))


def questions(document: Path) -> list[tuple[str, str]]:
    """Every trained question with its reference."""
    lessons = lessons_of(parse_file(document))
    return [(example.question or "", example.text) for example in lessons.pairs]


def answered(document: Path, asked: list[tuple[str, str]]) -> list[str]:
    """The questions that the current version answers."""
    answers = ask_trained(document, [question for question, _ in asked])
    return [
        question
        for (question, reference), answer in zip(asked, answers, strict=True)
        for score in [score_answer(answer, reference, question)]
        if score.exact or score.contains
    ]


if __name__ == "__main__":
    main()
