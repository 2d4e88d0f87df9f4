"""What large documents cost beside gradient steps: `uv run python benchmarks/scale.py`.

Documents of 100, 1,000 and 10,000 pairs on the embedded base, each in a process of its own, which
takes each part in turn and measures its processor time. `growth` is how the time grew with ten
times the document, over what n log n would have; parts below a twentieth of a second say nothing
there. `--repeat N` takes the median of N processes, `--sizes 100,1000` others.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scale_document import new_pairs, text

SIZES = (100, 1_000, 10_000)
_TELLING = 0.05  # seconds
_EDITED = 100  # every so many-th pair is edited before the retraining is planned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one)))
        return
    found = {size: typical(size, options.repeat) for size in map(int, options.sizes.split(","))}
    print(json.dumps(found, indent=2) if options.json else table(found))


def typical(size: int, repeat: int) -> dict[str, float]:
    """The medians of so many processes."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, __file__, "--one", str(size)]
        runs.append(json.loads(subprocess.check_output(command, text=True)))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def table(found: dict[int, dict[str, float]]) -> str:
    sizes = list(found)
    lines = [f"{'':<20}" + "".join(f"{size:>10,}" for size in sizes) + f"{'growth':>10}"]
    for name in found[sizes[0]]:
        values = [found[size][name] for size in sizes]
        growth = "" if name == "memory, MB" else _growth(sizes[-2:], values[-2:])
        shown = "".join(f"{value:>10.2f}" for value in values)
        lines.append(f"{name:<20}{shown}{growth:>10}")
    return "\n".join(lines)


def _growth(sizes: list[int], seconds: list[float]) -> str:
    if len(sizes) < 2 or seconds[0] < _TELLING:
        return "-"
    usual = math.prod(f(sizes[1]) / f(sizes[0]) for f in (float, math.log))
    return f"{seconds[1] / seconds[0] / usual:.2f}"


class Stopwatch:
    """Processor seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds[name] = time.process_time() - began

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        with self.part(name):
            return work()


def measure(pairs: int) -> dict[str, float]:
    """Every part on a document of so many pairs; what does not grow is loaded before."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLM_HOME"] = folder
        small, large = Path(folder, "small.dlm"), Path(folder, "large.dlm")
        small.write_text(text(2), encoding="utf-8")
        large.write_text(text(pairs), encoding="utf-8")
        _through(small, 2, Stopwatch())
        before = _peak()
        watch = Stopwatch()
        _through(large, pairs, watch)
    seconds = watch.seconds
    return {**seconds, "sum": sum(seconds.values()), "memory, MB": _peak() - before}


def _through(path: Path, pairs: int, watch: Stopwatch) -> None:
    from dlm.data.lessons import lessons_of
    from dlm.doc.parser import parse_file
    from dlm.index import Index
    from dlm.store.store import Store
    from dlm.train.base import BaseCache, checked
    from dlm.train.options import TrainOptions
    from dlm.train.start import Start, prepare

    document = watch.timed("parse", lambda: parse_file(path))
    lessons = watch.timed("lessons", lambda: lessons_of(document))
    watch.timed("contamination", lambda: checked(document, lessons))
    watch.timed("near-duplicates", lambda: _near_duplicates(document, max(2, pairs // 10)))
    cache = BaseCache()
    cache.of(document)
    cache._lessons = document, lessons  # they have lines of their own
    cache._checked = lessons
    with Store.open(document.frontmatter.dlm_id, base_model="pocket") as store:
        start = watch.timed(
            "plan", lambda: prepare(document, TrainOptions(), store, base_cache=cache)
        )
        assert isinstance(start, Start)
        plan = start.plan
        watch.timed("encoding", lambda: _encode_an_epoch(plan))
        watch.timed("commit", lambda: _commit(store, start.plan))
        edited = _edited(document)
        cache._checked = cache.lessons(edited)
        start = watch.timed(
            "replay draw", lambda: prepare(edited, TrainOptions(), store, base_cache=cache)
        )
        assert isinstance(start, Start)
        index = watch.timed("index", lambda: Index(document))
        watch.timed("index, an edit", lambda: index.updated(edited))
        watch.timed("scorecard sample", lambda: _scorecard(document, lessons, store, plan))
    _revert(document, path, max(2, pairs // 10), watch)


def _near_duplicates(document: Any, count: int) -> None:
    """What a loop asks of each pair that is proposed; a tenth repeat one of the document."""
    from dlm.loops.edits import NewPair
    from dlm.loops.proposals import Existing, Questions, seal

    existing, questions = Existing(document), Questions.of(document)
    known = [pair for _, pair in document.pairs()]
    fresh = []
    for number, (question, answer) in enumerate(new_pairs(count)):
        if number % 10 == 0:
            again = known[number % len(known)]
            question, answer = f"Tell me: {again.question}", again.answer
        pair = NewPair(question, answer)
        if existing.why_not(pair) is None and questions.repeated(question, answer) is None:
            questions.add(question, answer, "new")
            fresh.append(pair)
    seal(fresh, 0.1, existing.lessons)


def _encode_an_epoch(plan: Any) -> int:
    """The token ids of all rows of the first epoch."""
    steps = plan.schedule.epoch_ends[0]
    return sum(len(row.ids) for row in plan.rows_of(steps))


def _commit(store: Any, plan: Any) -> None:
    """A version with the usual weights of the base, that remembers all of the document."""
    import numpy as np
    from safetensors.numpy import save

    from dlm.data.lessons import parts
    from dlm.store.improving import keep_text
    from dlm.store.records import Remembered, RunRecord, now

    with store.new_version() as staging:
        weights = save({"a.lora_A.weight": np.ones((256, 1024), dtype=np.float32)})
        (staging.path / "adapter_model.safetensors").write_bytes(weights)
        (staging.path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        config = plan.document.frontmatter.training.model_dump(mode="json")
        record = RunRecord(
            f"scale-{plan.name}",
            now(),
            now(),
            plan.base.key,
            plan.base_fingerprint,
            plan.document.sha256,
            plan.name,
            "fresh",
            config=config,
        )
        memory = [
            Remembered(one, staging.name, staging.name, nll=0.1, exact=True)
            for one in parts(plan.lessons.train)
        ]
        text = plan.document.to_bytes()
        staging.commit(record, memory, also=lambda database: keep_text(database, text))


def _edited(document: Any) -> Any:
    """The document with another answer to some of its pairs."""
    from dlm.doc.spans import Span, Splice

    pairs = [(section, pair) for section, pair in document.pairs() if pair.role.value == "train"]
    splices = []
    for section, pair in pairs[::_EDITED]:
        at = document.text.index(pair.answer, section.start)
        splices.append(Splice(Span(at, at + len(pair.answer)), "Nobody remembers that."))
    return document.apply(splices)


def _scorecard(document: Any, lessons: Any, store: Any, plan: Any) -> None:
    """Who is asked, what is left of it in little time, and what the answers add up to."""
    from dlm.base_models import base_of
    from dlm.eval.answers import Answer, Item, Loss
    from dlm.eval.comparison import keep
    from dlm.eval.learned_map import learned_map
    from dlm.eval.open_notes import with_notes_open
    from dlm.eval.probes import question_sheet
    from dlm.eval.scorecard import scorecard
    from dlm.eval.sizing import Costs, sized

    codec = plan.codec
    encoded = {row.lesson.question: row.ids for row in plan.pairs}
    sheet = question_sheet(lessons)
    costs = Costs(
        lambda one: len(encoded.get(one.text) or codec.pair(one.text, one.reference).ids),
        128,
        lambda one: 2 * len(codec.encode(one.text)),
    )
    sheet = sized(sheet, 100_000, costs)
    fit = Loss(0.1, 2.0, 12, True)
    items = [
        Item(
            kind=one.kind,
            question=one.text,
            reference=one.reference,
            fit=fit,
            section_id=one.lesson.section_id,
            line=one.lesson.line,
            said=Answer.of(one.reference, one.reference, one.text, finished=True, base_nll=2.0)
            if one.asked
            else None,
            lesson_id=one.lesson.id,
        )
        for one in sheet.questions
    ]
    card = scorecard(
        items, document_sha256=document.sha256, pairs=sheet.pairs, asked_pairs=sheet.asked_pairs
    )
    card = with_notes_open(card, document, base_of(document))
    learned_map(document, card)
    with store.database.transaction():
        keep(store.database, 1, card)


def _revert(document: Any, path: Path, count: int, watch: Stopwatch) -> None:
    """Take out a run that has added so many pairs; adding them has a line of its own."""
    from dlm.doc.provenance import Origin, Provenance
    from dlm.loops.edits import Addition, EditPlan, NewPair, apply_to_file, revert_to_file
    from dlm.store.records import now

    run, by, at = "run-of-scale", "a teacher", now()
    prose = [one.section_id for one in document.sections if one.type.value == "prose"]
    additions = [
        Addition(
            Provenance(Origin.SYNTHESIZED, by, run, at, source), (NewPair(*pair),), after=source
        )
        for pair, source in zip(new_pairs(count, seed=13), prose * 2, strict=False)
    ]
    plan = EditPlan(run, Origin.SYNTHESIZED, by, at, document.sha256, tuple(additions))
    watch.timed("apply a run", lambda: apply_to_file(path, plan))
    began = time.process_time()
    revert_to_file(path, [Origin.SYNTHESIZED], run)
    watch.seconds["revert"] = time.process_time() - began
    assert path.read_bytes() == document.to_bytes()


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
