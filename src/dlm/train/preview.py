"""What a planned run will train on and why: for `dlm train --plan`, JSON and the run record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dlm.data.lessons import SYNTHETIC, Role
from dlm.data.preferences import balance
from dlm.data.rows import Row
from dlm.store.records import Version
from dlm.train.known import Known
from dlm.train.plan import TrainingPlan
from dlm.train.samples import BASE
from dlm.train.triples import PreferencePlan
from dlm.train.verdict import contradicting

_GENERAL = ("general text", "samples of the base")
_FEW_PAIRS = 5
_SAME_OPENING = 0.8  # of the questions of a document
_TINY = 100_000_000  # parameters
_MUCH_PROSE = 3_000  # tokens


@dataclass(frozen=True, slots=True)
class Share:
    """One source of rows over a whole run: rows, tokens, its share of all tokens, its trust."""

    source: str
    rows: int
    tokens: int
    share: float
    weight: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with one item of the document, or of what was trained before, and why."""

    line: int
    what: str
    text: str
    why: str
    file: str = ""

    @property
    def place(self) -> str:
        """`line 7` of the document, or `docs/lamp.md:7`."""
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


def shares(rows: Sequence[Row]) -> tuple[Share, ...]:
    """The sources of `rows`, the document's first."""
    total = sum(len(row.ids) for row in rows) or 1
    found: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        found.setdefault((_source(row), row.weight), []).append(row)
    made = [
        Share(source, len(group), tokens, tokens / total, weight)
        for (source, weight), group in found.items()
        for tokens in [sum(len(row.ids) for row in group)]
    ]
    return tuple(sorted(made, key=lambda one: (one.source in _GENERAL, -one.tokens)))


def summary(plan: TrainingPlan, previous: Version | None) -> str:
    """One line: where the run starts, what it learns, and what comes along."""
    known = plan.known
    parts = [
        (len(known.new), "new or changed"),
        (len(known.raised) + len(known.unlearned), "to learn again"),
        (len(known.unchanged), "known"),
        (len(known.kept), "removed but kept"),
        (len(known.forgotten), "to forget"),
    ]
    where = f"continues {previous.name}" if previous else "starts from the base"
    return f"{where}: " + ", ".join(f"{number} {what}" for number, what in parts if number)


def decisions(known: Known) -> tuple[Decision, ...]:
    """Why each item that is not simply new or unchanged is treated as it is."""
    told = [(one.new, "changed", f"{one.why}; the old form is dropped") for one in known.superseded]
    told += [(item, "again", "repeated since it was trained") for item in known.raised]
    told += [(item, "again", "was trained and does not sit yet") for item in known.unlearned]
    told += [(one.lesson, "kept", "removed from the document, replayed") for one in known.kept]
    told += [(item, "forget", "removed from the document") for item in known.forgotten]
    return tuple(
        Decision(item.line, what, item.first_words, why, item.file) for item, what, why in told
    )


def warnings(plan: TrainingPlan) -> tuple[str, ...]:
    """The known traps that this run walks into, a sentence each."""
    asked_before = _asked_before(plan)
    found = (_few(plan), _monotone(plan), _synthetic(plan), _too_much(plan), _too_long(plan))
    return tuple(filter(None, (*found, asked_before)))


def to_json(plan: TrainingPlan) -> dict[str, Any]:
    """The plan as plain values."""
    known = plan.known
    return {
        "document": plan.name,
        "base": plan.base.key,
        "new": len(known.new),
        "again": len(known.raised) + len(known.unlearned),
        "unchanged": len(known.unchanged),
        "kept": len(known.kept),
        "forget": len(known.forgotten),
        "decisions": [asdict(one) for one in decisions(known)],
        "shares": [asdict(one) for one in shares(plan.schedule.rows)],
        "warnings": list(warnings(plan)),
        "epochs_at_most": len(plan.schedule.epoch_ends),
        "steps_at_most": plan.schedule.steps,
        "rows_per_step": plan.optimisation.rows_per_step,
        "learning_rate": plan.optimisation.learning_rate,
        "seed": plan.seed,
    }


def _source(row: Row) -> str:
    origin = row.lesson.origin
    match row.lesson.role:
        case Role.REHEARSE:
            return _GENERAL[origin == BASE]
        case Role.FORGET:
            return "to forget"
        case Role.REPLAY:
            return f"{origin}, replayed"
        case _:
            return origin


def _asked_before(plan: TrainingPlan) -> str | None:
    """What is measured though an earlier version was trained on it."""
    if not plan.known.asked_before:
        return None
    return (
        f"{_lines(plan.known.asked_before)}: an earlier version was trained on this question, so "
        "its answer shows memory; `dlm train --fresh` starts clean"
    )


def _lines(numbers: Sequence[int]) -> str:
    """`lines 3, 9 and 12 more`, for one sentence."""
    shown = ", ".join(map(str, numbers[:6]))
    more = f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"


def _too_long(plan: TrainingPlan) -> str | None:
    wanted = plan.document.frontmatter.training.sequence_len
    if wanted == "auto" or wanted <= plan.sequence_length:
        return None
    return (
        f"training.sequence_len is {wanted}, and {plan.base.key} reads {plan.sequence_length} "
        "tokens at once: rows are cut there"
    )


def _few(plan: TrainingPlan) -> str | None:
    pairs = len(plan.lessons.pairs)
    if pairs >= _FEW_PAIRS:
        return None
    if not pairs:
        return "there are no pairs: prose alone teaches a manner of writing, and few facts"
    return f"only {pairs} pairs: with fewer than {_FEW_PAIRS} the model copies rather than learns"


def _monotone(plan: TrainingPlan) -> str | None:
    """Questions that nearly all begin alike teach the opening and not the subject."""
    openings = [" ".join(e.question.lower().split()[:3]) for e in plan.lessons.pairs]
    if len(openings) < _FEW_PAIRS:
        return None
    [(most, count)] = Counter(openings).most_common(1)
    if count < _SAME_OPENING * len(openings):
        return None
    return (
        f'{count} of {len(openings)} questions begin with "{most} …": '
        "vary the wording, or the model learns the opening instead of the subject"
    )


def _synthetic(plan: TrainingPlan) -> str | None:
    rows = plan.schedule.rows
    synthetic = sum(len(row.ids) for row in rows if row.lesson.origin in SYNTHETIC)
    real = sum(len(row.ids) for row in rows if row.authored)
    wanted = plan.document.frontmatter.training.real_share
    if not synthetic or real >= wanted * (real + synthetic) * 0.98:
        return None
    return (
        f"only {real / (real + synthetic):.0%} of the document's tokens are authored, below "
        f"training.real_share of {wanted:.0%}: there is too little of them"
    )


def _too_much(plan: TrainingPlan) -> str | None:
    tokens = sum(len(row.ids) for row in plan.material.prose)
    if plan.base.params >= _TINY or tokens < _MUCH_PROSE:
        return None
    return (
        f"{tokens:,} tokens of prose are more than a base of {plan.base.params / 1e6:.0f}M "
        "parameters can hold as knowledge: expect its manner, and the answers of the pairs"
    )


def triples_summary(plan: PreferencePlan, previous: Version | None) -> str:
    """One line: which triples, by which method, after what."""
    known = plan.known
    parts = [
        (len(known.new), "new"),
        (len(known.slipped), "to learn again"),
        (len(known.unchanged), "known"),
    ]
    triples = ", ".join(f"{number} {what}" for number, what in parts if number)
    where = f"continues {previous.name}" if previous else "follows that"
    return f"preferences: {where}; triples: {triples}; {plan.objective.method}"


def triples_warnings(plan: PreferencePlan) -> tuple[str, ...]:
    """What is wrong with the set of triples, a sentence each."""
    triples = (*plan.known.to_learn, *plan.known.unchanged)
    contradiction = contradicting(triples)
    return (*([contradiction] if contradiction else []), *balance(triples).warnings)


def sources(plan: PreferencePlan) -> list[tuple[str, int, float]]:
    """Who wrote the triples: origin, how many, trust."""
    triples = (*plan.known.to_learn, *plan.known.unchanged)
    found = Counter((one.origin, one.weight) for one in triples)
    return [(origin, number, weight) for (origin, weight), number in found.most_common()]


def preference_json(plan: PreferencePlan) -> dict[str, Any]:
    """The plan as plain values."""
    known = plan.known
    return {
        "method": plan.objective.method,
        "objective": asdict(plan.objective),
        "reference": plan.reference,
        "new": len(known.new),
        "again": len(known.slipped),
        "unchanged": len(known.unchanged),
        "sources": [
            {"source": origin, "triples": number, "weight": weight}
            for origin, number, weight in sources(plan)
        ],
        "balance": balance((*known.to_learn, *known.unchanged)).to_json(),
        "warnings": list(triples_warnings(plan)),
        "epochs_at_most": len(plan.schedule.epoch_ends),
        "steps_at_most": plan.schedule.steps,
        "learning_rate": plan.optimisation.learning_rate,
    }
