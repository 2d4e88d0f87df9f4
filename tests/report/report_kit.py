"""Stores with versions, figures, runs, syntheses and rounds, as trainings leave them; no model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from dlm.base_models import BASE_MODELS
from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.eval.answers import Answer, Item, Kind, Loss, score_answer
from dlm.eval.comparison import keep
from dlm.eval.open_notes import with_notes_open
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.store import improving, metrics
from dlm.store.completions import SynthRun, add_synth_run
from dlm.store.improving import Step, TeacherRecord
from dlm.store.metrics import Evaluation, MetricRun, RunOutcome, StepMetric
from dlm.store.records import RunRecord, Version
from dlm.store.store import Store
from dlm.text.near import repetition

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
TEXT = (
    HEAD
    + """
# The shed

The blue boat is called Marigold. The key hangs in the drainpipe.

::instruction::
### Q
Where does the key hang?
### A
In the drainpipe.

### Q
What is the blue boat called?
### A
The blue boat is called Marigold.
::

::instruction#safety::
### Q !probe
Where is the first-aid box?
### A
Under the bench.
::

::instruction::
<!-- dlm-auto-synth: synth_teacher="base:pocket" run="synth-1" -->
### Q
What floats?
### A
The boat floats.
::

::instruction::
### Q !exam
I am locked out. What now?
### A
Look in the drainpipe.
::

::preference::
### Prompt
May I take change?
### Chosen
Please do not.
### Rejected
Sure.
::
"""
)
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SHARES = [
    {"source": "authored", "rows": 10, "tokens": 600, "share": 0.6, "weight": 1.0},
    {"source": "synthesized", "rows": 4, "tokens": 200, "share": 0.2, "weight": 0.5},
    {"source": "general text", "rows": 4, "tokens": 200, "share": 0.2, "weight": 1.0},
]


def write(folder: Path, text: str = TEXT) -> Document:
    """The document as a file, read again."""
    path = folder / "shed.dlm"
    path.write_bytes(text.encode())
    return parse_file(path)


def open_store(document: Document) -> Store:
    return Store.open(document.frontmatter.dlm_id, base_model="pocket")


def card_of(document: Document, wrong: Mapping[str, str], *, drift: float = 0.2) -> Scorecard:
    """A scorecard of which every answer is right but those in `wrong`, by question."""
    lessons = lessons_of(document)
    items = []
    for kind, pairs in ((Kind.TRAINED, lessons.pairs), (Kind.EXAM, lessons.exam)):
        for one in pairs:
            question = one.question
            text = wrong.get(question, one.text)
            near = score_answer(text, one.text, question)
            said = Answer(text, near.exact, near.contains, near.f1, True, repetition(text), 3.0)
            fit = Loss(2.5 if question in wrong else 0.05, 3.0, 5, near.exact)
            probe = one.role.value == "probe"
            items.append(Item(kind, question, one.text, fit, one.section_id, one.line, probe, said))
    for one in lessons.prose:
        items.append(
            Item(Kind.PROSE, "", "The", Loss(1.0, 3.0, 20, False), one.section_id, one.line)
        )
    for n in range(12):
        general = Loss(3.0 + drift + 0.02 * (n - 5.5), 3.0, 9, False)
        items.append(Item(Kind.TEXT, "", f"Text {n}", general))
    asked = len(lessons.pairs)
    card = scorecard(items, document_sha256=document.sha256, pairs=asked, asked_pairs=asked)
    return with_notes_open(card, document, BASE_MODELS["pocket"])


def train(
    store: Store,
    document: Document,
    wrong: Mapping[str, str] | None = None,
    *,
    current: bool = True,
    drift: float = 0.2,
    bound: float | None = 0.5,
    hours: int = 0,
) -> Version:
    """A training as far as the store can tell: a run with its steps, a version, a scorecard."""
    card = card_of(document, wrong or {}, drift=drift)
    number = len(store.runs()) + 1
    run_id, started = f"run-{number}", NOON + timedelta(hours=hours or number)
    losses = [4.0 / (step + 1) for step in range(30)]
    with store.lock("train"):
        metrics.begin(store.database, MetricRun(run_id, "continue", "pocket", "shed.dlm", started))
        steps = [
            StepMetric(n + 1, 1 + n // 10, loss, 1e-3, 100, 50.0, float(n))
            for n, loss in enumerate(losses)
        ]
        found = [
            Evaluation(
                e, 10 * e, 1.0, {"answer_nll": 1 / e, "drift": 0.1 * e, "learned": e, "pairs": 4}
            )
            for e in (1, 2, 3)
        ]
        metrics.add(store.database, run_id, steps, found)
        run = RunRecord(
            run_id=run_id,
            started_at=started,
            ended_at=started + timedelta(seconds=40),
            base_key="pocket",
            base_fingerprint="f" * 64,
            document_sha256=document.sha256,
            document_path="shed.dlm",
            mode="fresh" if number == 1 else "continue",
            figures={
                "losses": losses,
                "by_epoch": [],
                "shares": SHARES,
                "drift_bound": bound,
                "drift": drift,
                "drift_texts": 12,
            },
            stop_reason="every answer is learned",
            steps=30,
            seconds=40.0,
        )
        with store.new_version() as staging:
            tensor = {"lora_A.weight": np.full((4, 3), float(number), np.float32)}
            save_file(tensor, str(staging.path / "adapter_model.safetensors"))
            (staging.path / "adapter_config.json").write_text(json.dumps({"r": number}))
            version = staging.commit(
                run, [], also=lambda db: keep(db, staging.number, card), current=current
            )
        done = RunOutcome.COMMITTED
        metrics.end(store.database, run_id, done, run.stop_reason, version=version.number)
    return version


def synthesized(store: Store, *, run: str = "synth-1", sha256: str = "d" * 64) -> SynthRun:
    """A synthesis that kept two of ten."""
    stages = ("parsed", "dedup", "grounded", "judged", "threshold", "accepted")
    funnel = dict(zip(("generated", *stages), (10, 9, 8, 5, 4, 3, 2), strict=True))
    samples = (
        {"question": "What floats?", "answer": "The boat floats.", "dropped": None, "reason": ""},
        {"question": "Is it?", "answer": "Yes.", "dropped": "grounded", "reason": "no sentence"},
    )
    made = SynthRun(
        run, "base:pocket", NOON, sha256, 2, {"funnel": funnel, "strategy": "extraction"}, samples
    )
    with store.database.transaction():
        add_synth_run(store.database, made)
    return made


def improved(store: Store, document: Document, *, promoted: bool) -> None:
    """A round of which the newest version is the challenger, and two teachers."""
    database, last = store.database, store.versions()[-1]
    figure = {"value": 0.4, "n": 20, "low": 0.3, "high": 0.5, "note": ""}
    verdict: dict[str, Any] = {
        "promote": promoted,
        "met": ["4 answers gained, 0 lost"],
        "reasons": [] if promoted else ["the overall changed by +0.01; it takes +0.05"],
        "contest": {"difference": figure, "loss": figure, "p": 0.004},
    }
    with database.transaction():
        for number, spec in enumerate(("base", f"self:{last.name}")):
            teacher = TeacherRecord(
                number, spec, None, None, "pocket", 0.3, 20, document.sha256, NOON, f"why {number}"
            )
            improving.add_teacher(database, teacher, document.to_bytes())
        run = improving.begin_run(database, {})
        one = improving.begin_round(
            database,
            run.id,
            name="brisk-heron-01",
            teacher="base",
            strategy="extraction",
            document_sha256=document.sha256,
            champion=last.number - 1,
            facts={},
        )
        improving.advance(
            database,
            one,
            Step.PROMOTED if promoted else Step.REFUSED,
            challenger=last.number,
            brings="7 pairs",
            exam={
                "champion": {"overall": figure},
                "challenger": {"overall": {**figure, "value": 0.6}},
            },
            verdict=verdict,
            diversity={"pairs": 7, "distinct": 0.8, "overlap": 0.2, "types": 1.9},
        )


class Page(HTMLParser):
    """A page as the standard library reads it; every element must be closed in its place."""

    VOID = frozenset({"meta", "br", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str, class_: str | None = None) -> list[dict[str, str]]:
        """The attributes of elements, of those of a class where one is named."""
        return [
            found
            for name, found in self.elements
            if name == tag and (class_ is None or class_ in found.get("class", "").split())
        ]
