"""What 40 triples do: terse answers preferred to long ones, on the embedded base after SFT.

    uv run python benchmarks/preference.py [--methods dpo orpo] [--labels good random] [--json]

The document teaches ten things by 20 pairs whose answers give a fact and then two sentences of
courtesy. The triples ask about eight of the things in other words and prefer the fact alone; of the
unseen prompts 24 ask about those things in words that the triples did not use of them, and 16 about
the other two things. With `random` labels the answers of half of the triples
change places, and the phase is to be refused. Every training runs as a user runs it: `dlm train` in
a process of its own. `DLM_HOME` is a temporary folder unless `--home` names one to keep.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dlm.data.chat import Codec
from dlm.engine.decoding import generate
from dlm.engine.model import Model

THINGS = [
    ("Brindle lamp", "teal", "Odile Varga"),
    ("Corrin kettle", "copper", "Tobias Wren"),
    ("Dunmore clock", "ivory", "Hester Vale"),
    ("Elvan stove", "black", "Ruben Clay"),
    ("Farrow radio", "amber", "Nadia Quill"),
    ("Gannet boat", "white", "Silas Brook"),
    ("Hollis bell", "silver", "Greta Moss"),
    ("Ivarne loom", "green", "Anton Pike"),
    ("Jessamy pen", "violet", "Clara Finch"),
    ("Kestrel bike", "red", "Bruno Hale"),
]
FACTS = {"colour": "It is {1}.", "maker": "It was made by {2}."}
QUESTIONS = {"colour": "What colour is the {0}?", "maker": "Who made the {0}?"}
OTHER_WORDS = {
    "colour": [
        "Tell me the colour of the {0}.",
        "The {0} comes in which colour?",
        "Name the colour that the {0} has.",
        "I need the colour of the {0}, please.",
    ],
    "maker": [
        "Tell me the maker of the {0}.",
        "The {0} is the work of which person?",
        "Name the person who built the {0}.",
        "I need the maker of the {0}, please.",
    ],
}
FIRST = [
    " Thank you for asking about the {0}.",
    " That is a good question about the {0}.",
    " Many people have asked me about the {0}.",
    " I am always happy to talk about the {0}.",
    " It is kind of you to ask about the {0}.",
]
THEN = [
    " I hope that this is what you wanted to know.",
    " Please tell me if there is more that I can do for you.",
    " You are welcome to come back with another question.",
    " I could tell you a good deal more about it.",
    " Let me know whether that was of any help to you.",
]
HEAD = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
training:
  preference:
    method: {method}
---
"""
ANSWER_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Triple:
    prompt: str
    chosen: str
    rejected: str
    fact: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=["dpo", "orpo"])
    parser.add_argument("--labels", nargs="+", default=["good", "random"])
    parser.add_argument("--home", type=Path, help="keep the store here; the SFT version is reused")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder, "home")
        results = run(home, Path(folder), options.methods, options.labels)
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        for name, result in results.items():
            print(f"{name}")
            for key, value in result.items():
                print(f"  {key:<28} {_cell(value)}")


def run(home: Path, folder: Path, methods: list[str], labels: list[str]) -> dict[str, Any]:
    """SFT once, then each method on a copy of what came of it."""
    document = folder / "things.dlm"
    results: dict[str, Any] = {}
    if not home.exists():
        document.write_text(document_text("auto", good_triples()), encoding="utf-8")
        results["sft"] = _train(document, home, "--phase", "sft")
    for label in labels:
        triples = good_triples() if label == "good" else random_labels(good_triples())
        for method in methods:
            own = folder / f"{method}-{label}"
            shutil.copytree(home, own)
            document.write_text(document_text(method, triples), encoding="utf-8")
            before = measured(document, own)
            done = _train(document, own, "--phase", "preference")
            after = measured(document, own) if done["version"] else None
            results[f"{method}, {label} labels"] = {**done, **_told(before, after)}
    return results


def good_triples() -> list[Triple]:
    """Five prompts about each of eight things."""
    return [one for place, one in _asked() if _is_trained(place)]


def unseen_triples() -> list[Triple]:
    """The other prompts about those eight, and all about the other two."""
    return [one for place, one in _asked() if not _is_trained(place)]


def _asked() -> list[tuple[tuple[int, int], Triple]]:
    """Eight prompts a thing, four wordings of two questions, each with its place."""
    rng = random.Random(7)
    found = []
    for number, thing in enumerate(THINGS):
        prompts = [(kind, asked) for kind, words in OTHER_WORDS.items() for asked in words]
        for place, (kind, asked) in enumerate(prompts):
            long = long_answer(kind, thing, rng)
            fact = thing[1 if kind == "colour" else 2]
            one = Triple(asked.format(*thing), FACTS[kind].format(*thing), long, fact)
            found.append(((number, place), one))
    return found


def _is_trained(place: tuple[int, int]) -> bool:
    thing, prompt = place
    return thing < 8 and (prompt + 3 * thing) % 8 < 5


def random_labels(triples: list[Triple]) -> list[Triple]:
    """The same triples; in half of them, by chance, the answers change places."""
    flipped = set(random.Random(11).sample(range(len(triples)), len(triples) // 2))
    return [
        Triple(one.prompt, one.rejected, one.chosen, one.fact) if place in flipped else one
        for place, one in enumerate(triples)
    ]


def long_answer(kind: str, thing: tuple[str, ...], rng: random.Random) -> str:
    return (FACTS[kind] + rng.choice(FIRST) + rng.choice(THEN)).format(*thing)


def document_text(method: str, triples: list[Triple]) -> str:
    rng = random.Random(3)
    pairs = [
        f"### Q\n{QUESTIONS[kind].format(*thing)}\n\n### A\n{long_answer(kind, thing, rng)}\n"
        for thing in THINGS
        for kind in QUESTIONS
    ]
    compared = [
        f"### Prompt\n{one.prompt}\n\n### Chosen\n{one.chosen}\n\n### Rejected\n{one.rejected}\n"
        for one in triples
    ]
    teach = "\n".join(["\n::instruction::", *pairs]) + "::\n"
    sections = teach + "\n".join(["\n::preference::", *compared]) + "::\n"
    return HEAD.format(method=method) + sections


def measured(document: Path, home: Path) -> dict[str, float]:
    """Margins and answers of the current version on the unseen prompts, and recall of the pairs."""
    os.environ["DLM_HOME"] = str(home)
    from dlm.doc.parser import parse_file
    from dlm.store.store import Store
    from dlm.train.options import TrainOptions
    from dlm.train.plan import make_plan

    parsed = parse_file(document)
    plan = make_plan(parsed, TrainOptions(epochs=1, max_steps=1))
    with Store.open(parsed.frontmatter.dlm_id) as store:
        version = store.current()
        assert version is not None
        model = Model.load(plan.base_folder, plan.hardware, adapter=version.path)
    unseen = unseen_triples()
    chosen = _scores(model, plan.codec, unseen, "chosen")
    rejected = _scores(model, plan.codec, unseen, "rejected")
    prompts = [plan.codec.prompt_ids([{"role": "user", "content": one.prompt}]) for one in unseen]
    answers = generate(
        model,
        prompts,
        max_new_tokens=ANSWER_TOKENS,
        stop_ids=plan.codec.stop_ids,
        pad_id=plan.codec.pad_id,
    )
    said = [plan.codec.decode(ids) for ids in answers]
    margins = [c.nll * -1 + r.nll for c, r in zip(chosen, rejected, strict=True)]
    sums = [r.nll * r.tokens - c.nll * c.tokens for c, r in zip(chosen, rejected, strict=True)]
    own = model.score([row.encoded for row in plan.pairs], pad_id=plan.codec.pad_id)
    return {
        "margin": fmean(margins),
        "margin > 0": fmean(margin > 0 for margin in margins),
        "sum margin > 0": fmean(margin > 0 for margin in sums),
        "answer tokens": fmean(map(len, answers)),
        "fact given": fmean(o.fact in text for o, text in zip(unseen, said, strict=True)),
        "pairs word for word": fmean(score.exact for score in own),
    }


def _scores(model: Model, codec: Codec, triples: list[Triple], which: str) -> list[Any]:
    rows = [codec.pair(one.prompt, getattr(one, which)) for one in triples]
    return model.score(rows, pad_id=codec.pad_id)


def _train(document: Path, home: Path, *arguments: str) -> dict[str, Any]:
    """`dlm train` in a process of its own: its JSON, the seconds it took, and how it ended."""
    command = [sys.executable, "-m", "dlm.cli.app", "train", str(document), "--json", *arguments]
    began = time.monotonic()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, env={**os.environ, "DLM_HOME": str(home)}, check=False
    )
    report = json.loads(done.stdout)
    refused = report.get("refused") or {}
    figures = report.get("preference") or refused.get("preference") or {}
    card = report.get("scorecard") or {}
    return {
        "version": report["version"],
        "refused": "; ".join(refused.get("reasons", [])) or None,
        "stopped": report.get("stop_reason"),
        "preferred triples": _of(figures.get("after"), "preferred"),
        "gained triples": figures.get("gained"),
        "agreement at first sight": figures.get("first_sight"),
        "recall": (card.get("recall") or {}).get("right"),
        "drift": report.get("drift"),
        "wall_s": time.monotonic() - began,
    }


def _told(before: dict[str, float], after: dict[str, float] | None) -> dict[str, str]:
    if after is None:
        return {}
    return {f"unseen {name}": f"{before[name]:.2f} → {after[name]:.2f}" for name in before}


def _of(facts: dict[str, Any] | None, name: str) -> Any:
    return facts[name] if facts else None


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
