"""What a retraining starts from: what the current version remembers, against the document.

Sorts every lesson into what is to be learned, what is known and replayed, what is to be forgotten
and what another one superseded; then what the next version is to remember. Pure: the store's
records come in as values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dlm.data.contamination import Sealed
from dlm.data.lessons import Lesson, Lessons, Role, distinct, parts
from dlm.data.matching import Superseded, align
from dlm.data.rows import Row
from dlm.doc.provenance import Origin
from dlm.engine.model import Score
from dlm.store.memory import Taught
from dlm.store.records import Remembered

_LEARNED = 0.5  # nats per token; an answer above it is trained again though it was seen


@dataclass(frozen=True, slots=True)
class Known:
    """How the lessons of a document stand against a version.

    `raised` are repeated since they were trained; `unlearned` were trained and do not sit; `kept`
    were removed and stay known; `sealed` too, and are now only asked, on the lines `asked_before`.
    Their records tell since when. All are in document order.
    """

    new: tuple[Lesson, ...]
    raised: tuple[Lesson, ...] = ()
    unlearned: tuple[Lesson, ...] = ()
    unchanged: tuple[Remembered, ...] = ()
    kept: tuple[Remembered, ...] = ()
    forgotten: tuple[Lesson, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    sealed: tuple[Remembered, ...] = ()
    asked_before: tuple[int, ...] = ()

    @property
    def to_learn(self) -> tuple[Lesson, ...]:
        return (*self.new, *self.raised, *self.unlearned)

    @property
    def nothing_changed(self) -> bool:
        """Whether the document says what the version was trained on."""
        return not (self.new or self.raised or self.forgotten)

    @property
    def nothing_to_do(self) -> bool:
        """Whether the version already knows all that the document says."""
        return self.nothing_changed and not self.unlearned


def compare(memory: Sequence[Remembered], here: Sequence[Lesson], *, forget: bool) -> Known:
    """Sort the items of the document, and those the version remembers, by what is to be done."""
    by_id = {one.lesson.id: one for one in memory}
    changes = align([one.lesson for one in memory], here)
    times = Counter(item.id for item in here)
    removed = [by_id[item.id] for item in changes.removed]
    unchanged = [(item, by_id[item.id]) for item in changes.unchanged]
    raised = {item: one for item, one in unchanged if _repeated(one, times[item.id])}
    steady = [(item, one) for item, one in unchanged if item not in raised]
    return Known(
        new=changes.new,
        raised=tuple(raised),
        unlearned=tuple(item for item, one in steady if not _sits(one)),
        unchanged=tuple(
            replace(one, lesson=replace(item, role=Role.REPLAY))
            for item, one in steady
            if _sits(one)
        ),
        kept=() if forget else tuple(removed),
        forgotten=tuple(replace(one.lesson, role=Role.FORGET) for one in removed if forget),
        superseded=changes.superseded,
    )


def everything(here: Sequence[Lesson]) -> Known:
    """All of the document as new: a training from the base, or over again."""
    return Known(new=tuple({item.id: item for item in here}.values()))


def sealed(known: Known, lessons: Lessons) -> Known:
    """`known` without replay of what nearly repeats an exam or held-out question.

    That was trained before it became one, so it stays remembered, and the owner is told.
    """
    asked = Sealed(lessons.only_asked)
    near = {one.lesson.id: list(asked.repeated_by(one.lesson)) for one in known.kept}
    return replace(
        known,
        kept=tuple(one for one in known.kept if not near[one.lesson.id]),
        sealed=tuple(one for one in known.kept if near[one.lesson.id]),
        asked_before=tuple(sorted({one.sealed_line for found in near.values() for one in found})),
    )


def _sits(one: Remembered) -> bool:
    """Prose always counts as known; an answer does when greedy decoding gives it, or nearly."""
    if not one.lesson.question or one.exact:
        return True
    return one.nll is not None and one.nll < _LEARNED


def _repeated(one: Remembered, times: int) -> bool:
    """Whether the document says a pair more often than it was trained: it is to weigh more."""
    return bool(one.lesson.question) and times > one.times


@dataclass(frozen=True, slots=True)
class KnownTriples:
    """The triples of a document against a version; `slipped` were turned around since."""

    new: tuple[Lesson, ...]
    slipped: tuple[Lesson, ...] = ()
    unchanged: tuple[Lesson, ...] = ()

    @property
    def to_learn(self) -> tuple[Lesson, ...]:
        return (*self.new, *self.slipped)


def compare_triples(lessons: Lessons, known: Collection[Taught], *, mined: bool) -> KnownTriples:
    """Sort the triples that are to be trained; without `mined`, those count as absent.

    Triples that are trusted with a weight of 0 are absent too.
    """
    triples = [
        one
        for one in distinct(lessons.triples)
        if one.weight > 0 and (mined or one.origin != Origin.MINED.value)
    ]
    by_id = {one.lesson_id: one for one in known}
    new = [one for one in triples if one.id not in by_id]
    old = [one for one in triples if one.id in by_id]
    return KnownTriples(
        new=tuple(new),
        slipped=tuple(one for one in old if by_id[one.id].slipped),
        unchanged=tuple(one for one in old if not by_id[one.id].slipped),
    )


def memory_after(
    known: Known,
    lessons: Lessons,
    name: str,
    trained: Collection[Row],
    scores: Mapping[str, Score],
) -> list[Remembered]:
    """The lessons of the document, then those that were removed and stay known.

    `trained` are the rows that version `name` was trained on, `scores` those of the pairs under it,
    by id; a pair that was not scored keeps the score it had.
    """
    earlier = {one.lesson.id: one for one in (*known.unchanged, *known.kept)}
    replayed = {row.lesson.id for row in trained if row.replayed}
    kept = {one.lesson.id for one in known.kept}
    here = parts(lessons.train)
    times = Counter(lesson.id for lesson in here)
    found: list[Remembered] = []
    for lesson in (*here, *(one.lesson for one in known.kept)):
        before = earlier.get(lesson.id)
        score = scores.get(lesson.id)
        found.append(
            Remembered(
                lesson,
                since=before.since if before else name,
                seen=before.seen if before and lesson.id not in replayed else name,
                removed=lesson.id in kept,
                nll=score.nll if score else before.nll if before else None,
                exact=score.exact if score else before.exact if before else None,
                times=times[lesson.id] or 1,
            )
        )
    return [*found, *(replace(one, removed=True) for one in known.sealed)]
