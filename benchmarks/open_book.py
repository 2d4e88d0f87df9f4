"""What the notes themselves answer: right, declined, and in what time; no model is asked.

    python benchmarks/open_book.py [--no-vectors] FILE.dlm…

Beside each document stands its `.eval.jsonl`: question, kind (verbatim, paraphrase, prose) and the
words of which one must be in a right answer. Questions on the prose of the other documents are
those that the notes do not answer. `shown` counts the right line among the first four passages.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import dlm.index.search as search
from dlm.doc.parser import parse_file
from dlm.index import Index


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--no-vectors", action="store_true", help="as if wordllama were not there")
    parser.add_argument("--show", action="store_true", help="print every answer")
    parser.add_argument("documents", type=Path, nargs="+")
    options = parser.parse_args()
    if options.no_vectors:
        import dlm.index.texts as texts

        texts.word_vectors = search.word_vectors = lambda: None  # type: ignore[assignment]
    questions = {path: _questions(path) for path in options.documents}
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    scores: dict[str, list[float]] = defaultdict(list)
    seconds = 0.0
    for path, asked in questions.items():
        index = Index(parse_file(path))
        foreign = [q for other in options.documents if other != path for q in questions[other]]
        absent = [{**q, "kind": "absent"} for q in foreign if q["kind"] == "prose"]
        for item in [*asked, *absent]:
            began = time.perf_counter()
            found = index.search(item["question"])
            quotes = index.quotes(item["question"])
            fit = index.fit(item["question"], quotes[0]) if quotes else -9.0
            seconds += time.perf_counter() - began
            _count(item, found, quotes[0].text if fit >= 0 else None, counts[item["kind"]])
            scores[item["kind"]].append(fit)
            if options.show:
                print(f"{item['kind']} {fit:+.2f}: {item['question']}\n  {quotes[0].text}")
    for kind, got in counts.items():
        figures = ", ".join(f"{name} {got[name]}" for name in ("right", "shown", "declined"))
        print(f"{kind:<11} of {got['asked']}: {figures}")
    total = sum(got["asked"] for got in counts.values())
    print(f"{1000 * seconds / total:.1f} ms a question")
    _curve(scores)


def _questions(path: Path) -> list[dict[str, Any]]:
    lines = path.with_suffix(".eval.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _count(
    item: dict[str, Any],
    found: list[search.Found],
    quote: str | None,
    got: dict[str, int],
) -> None:
    def holds(text: str) -> bool:
        return any(key.lower() in text.lower() for key in item["key"])

    right = quote is None if item["kind"] == "absent" else quote is not None and holds(quote)
    got["asked"] += 1
    got["right"] += right
    got["declined"] += quote is None
    got["shown"] += item["kind"] != "absent" and any(holds(one.passage.text) for one in found)


def _curve(scores: dict[str, list[float]]) -> None:
    """How many of the absent are declined where 2, 5 and 10 % of the answerable are."""
    answerable = sorted(s for kind, some in scores.items() if kind != "absent" for s in some)
    for share in (0.02, 0.05, 0.1):
        limit = answerable[int(share * len(answerable))]
        absent = scores["absent"]
        caught = sum(score < limit for score in absent)
        print(f"below {limit:+.2f}: {share:.0%} of the answerable, {caught}/{len(absent)} absent")


if __name__ == "__main__":
    sys.exit(main())
