"""The rounds of improvement, with what the exam said of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlm.eval.figures import Figure
from dlm.report.facts import RoundFacts
from dlm.store.database import Database
from dlm.store.records import version_name
from dlm.store.rounds import Round, rounds

_SITTERS = ("champion", "challenger", "teacher")


def rounds_of(database: Database) -> tuple[RoundFacts, ...]:
    """Every round, oldest first."""
    return tuple(_round(one) for one in rounds(database))


def _round(one: Round) -> RoundFacts:
    verdict = _mapping(one.facts.get("verdict"))
    contest = _mapping(verdict.get("contest"))
    exam = _mapping(one.facts.get("exam"))
    scores = {who: _figure(_mapping(exam.get(who)).get("overall")) for who in _SITTERS}
    p = contest.get("p")
    brings = one.facts.get("brings")
    return RoundFacts(
        name=one.name,
        step=one.step.value,
        started_at=one.started_at,
        teacher=one.teacher,
        strategy=one.strategy,
        champion=version_name(one.champion),
        challenger=None if one.challenger is None else version_name(one.challenger),
        brings=brings if isinstance(brings, str) else None,
        scores={who: figure for who, figure in scores.items() if figure is not None},
        difference=_figure(contest.get("difference")),
        p=float(p) if isinstance(p, int | float) else None,
        met=_texts(verdict.get("met")),
        reasons=_texts(verdict.get("reasons")) or _texts(one.facts.get("reasons")),
        diversity=_numbers(one.facts.get("diversity")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _figure(value: object) -> Figure | None:
    """A kept figure; None where there is none."""
    try:
        figure = Figure.from_json(_mapping(value))
    except (KeyError, TypeError, ValueError):
        return None
    return figure if figure.value is not None else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _numbers(value: object) -> dict[str, float]:
    found = _mapping(value).items()
    return {str(name): float(one) for name, one in found if isinstance(one, int | float)}
