"""One mining, from a document to an edit plan: sample, judge, compare, plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from dlm.data.lessons import Lesson, lessons_of
from dlm.data.preferences import Balance, balance
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.engine.resident import Resident
from dlm.errors import JudgeError, TrainingError
from dlm.loops.edits import Addition, EditPlan, NewTriple
from dlm.loops.judges import open_judge
from dlm.loops.mine.candidates import AUTHORED, Contrast, Funnel, Mined, MineOptions
from dlm.loops.mine.judging import judged
from dlm.loops.mine.sampling import Progress, sample
from dlm.loops.proposals import Existing, Proposer, run_id
from dlm.loops.teachers import Counts
from dlm.store.database import Database
from dlm.text.words import normalise

CHOSEN_FROM: Final = "chosen_from"
REJECTED_FROM: Final = "rejected_from"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mining gave. `balance` is that of the document's triples with the new ones.

    `gave_up` is the error of a judge that could not go on; what it judged before is planned.
    """

    plan: EditPlan
    mined: tuple[Mined, ...]
    funnel: Funnel
    balance: Balance
    counts: tuple[tuple[str, Counts], ...]
    notes: tuple[str, ...] = ()
    gave_up: JudgeError | None = None


def mine(
    document: Document,
    options: MineOptions,
    database: Database,
    progress: Progress = lambda what, done, of: None,
) -> Outcome:
    """Let the current version answer its questions, judge the answers, and plan the contrasts.

    Raises StoreError for a document that is not trained, and JudgeError, BaseModelError or
    UsageError when the judge or the model to reject cannot be had.
    """
    with Resident.open(document) as resident:
        # Before anything is drawn: a judge that does not exist should not cost minutes.
        judge = open_judge(options.judge, resident, timeout=options.timeout)
        pairs, notes = prompts(document)
        sampled = sample(document, pairs, resident, options, database, progress)
        threshold = judge.margin if options.threshold is None else options.threshold
        found, gave_up = judged(sampled.mined, judge, threshold, progress)
        version = resident.version
    found = _limited(_new(document, found), options.max_pairs)
    funnel = Funnel.of(found)
    standing = [triple for section in document.sections for triple in section.triples]
    measured = balance([*standing, *_triples(found)])
    proposer = Proposer(
        run_id("mine", document, version.sha256 if version else "", options),
        Origin.MINED,
        judge.name,
        datetime.now(UTC).replace(microsecond=0),
    )
    plan = proposer.plan(
        document,
        [
            addition_of(each, each.contrast, proposer)
            for each in found
            if each.contrast and each.kept
        ],
        funnel=funnel.to_json(),
        threshold=threshold,
        reject_from=options.reject_from.value,
        balance=measured.to_json(),
        calls={name: counts.to_json() for name, counts in sampled.counts},
    )
    return Outcome(
        plan,
        tuple(found),
        funnel,
        measured,
        tuple(sampled.counts),
        (*notes, *sampled.notes),
        gave_up,
    )


def prompts(document: Document) -> tuple[list[Lesson], list[str]]:
    """The questions that train, each once, and a note on those that are left out.

    Exam and held-out questions are not among them. Raises DlmError for a document with none.
    """
    existing = Existing(document)
    found: dict[str, Lesson] = {}
    near = 0
    for pair in lessons_of(document).pairs:
        if existing.sealed(pair.question, pair.text):
            near += 1
        else:
            found.setdefault(normalise(pair.question), pair)
    if not found:
        raise TrainingError(
            f"{document.path} has no question to mine",
            hint="write an ::instruction:: section, or let `dlm synth instructions` write some",
        )
    notes = [f"{near} left out: they nearly repeat a question that is only asked"] if near else []
    return list(found.values()), notes


def addition_of(mined: Mined, found: Contrast, proposer: Proposer) -> Addition:
    """The preference section of a contrast, behind the section that asks the question."""
    chosen_from = found.chosen.source
    if chosen_from != AUTHORED and normalise(found.chosen.text) == normalise(mined.answer):
        chosen_from = f"{chosen_from}, as authored"
    return proposer.addition(
        _triple(mined, found),
        mined.lesson.section_id,
        after=mined.lesson.section_id,
        scores={
            "chosen": round(found.chosen.score, 4),
            "rejected": round(found.rejected.score, 4),
        },
        extra={CHOSEN_FROM: chosen_from, REJECTED_FROM: found.rejected.source},
    )


def _triple(mined: Mined, found: Contrast) -> NewTriple:
    return NewTriple(mined.prompt, found.chosen.text, found.rejected.text)


def _new(document: Document, mined: Iterable[Mined]) -> list[Mined]:
    """The prompts without contrasts that stand in the document, or that tell its exam."""
    existing = Existing(document)
    found = []
    for each in mined:
        triple = _triple(each, each.contrast) if each.contrast else None
        reason = existing.why_not(triple) if triple else None
        found.append(each.without_contrast(reason) if reason else each)
    return found


def _limited(mined: Sequence[Mined], most: int | None) -> list[Mined]:
    """All prompts, only the `most` contrasts with the widest margins kept."""
    margins = {i: each.contrast.margin for i, each in enumerate(mined) if each.contrast}
    beyond = sorted(margins, key=lambda i: -margins[i])[most:] if most is not None else []
    return [_beyond(each) if i in beyond else each for i, each in enumerate(mined)]


def _beyond(mined: Mined) -> Mined:
    return replace(mined, kept=False, reason="others have a wider margin (--max-pairs)")


def _triples(mined: Iterable[Mined]) -> Iterator[NewTriple]:
    for each in mined:
        if each.contrast and each.kept:
            yield _triple(each, each.contrast)
