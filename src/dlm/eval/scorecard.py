"""The scorecard of one version: its items, and the figures they add up to.

Pure: no model, no store. Each formula stands in `docs/evaluation.md` too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from dlm.eval.answers import Answer, Item, Kind, Loss
from dlm.eval.figures import Figure, mean, share
from dlm.store.records import from_json, now
from dlm.text.words import normalise

ACCURACY, COHERENCE, KNOWLEDGE = 0.4, 0.3, 0.3  # their weights in `overall`
_MOST_REPETITION = 0.2
_FLUENT = 1.0  # nats a token above what the base gives the reference

Figures = Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything measured of one version on one document.

    `pairs` are those that train, `asked_pairs` how many of them were asked, `too_long` the
    questions left out because the base cannot read them at once.
    """

    document_sha256: str
    measured_at: datetime
    items: tuple[Item, ...]
    figures: Figures
    pairs: int
    asked_pairs: int
    too_long: int = 0

    def of(self, *kinds: Kind) -> list[Item]:
        """The items of these kinds, in the order of the document."""
        return [item for item in self.items if item.kind in kinds]

    def figure(self, group: str, name: str) -> Figure:
        """One figure; an absent one where an older scorecard has none of that name."""
        return self.figures.get(group, {}).get(name, Figure.absent("not measured then"))

    @property
    def missed(self) -> list[Item]:
        """Training pairs that greedy decoding does not give word for word."""
        return [item for item in self.of(Kind.TRAINED) if not item.fit.exact]

    def figures_json(self) -> dict[str, Any]:
        return {
            group: {name: figure.to_json() for name, figure in named.items()}
            for group, named in self.figures.items()
        }

    def to_json(self, *, items: bool = True) -> dict[str, Any]:
        """Plain JSON; without `items`, the figures alone."""
        data: dict[str, Any] = {
            "document_sha256": self.document_sha256,
            "measured_at": self.measured_at.isoformat(),
            "pairs": self.pairs,
            "asked_pairs": self.asked_pairs,
            "too_long": self.too_long,
            "figures": self.figures_json(),
        }
        return data | {"items": [item.to_json() for item in self.items]} if items else data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; raises ValueError on anything else."""
        return from_json(cls, data)


def scorecard(
    items: Iterable[Item],
    *,
    document_sha256: str,
    pairs: int,
    asked_pairs: int,
    too_long: int = 0,
) -> Scorecard:
    """Add up the items."""
    kept = tuple(items)
    return Scorecard(document_sha256, now(), kept, _figures(kept), pairs, asked_pairs, too_long)


def coherent(item: Item) -> bool:
    """Whether the answer ends, does not go in circles, and reads well to the base."""
    said = item.said
    return said is not None and ends(item) and steady(said) and fluent(item)


def ends(item: Item) -> bool:
    """The answer ended before the bound; or the base, asked the same, does not end either."""
    if item.said is None or not item.said.text:
        return False
    return item.said.finished or (item.base_said is not None and not item.base_said.finished)


def steady(said: Answer) -> bool:
    """At most a fifth of its word trigrams are repeats."""
    return said.repetition <= _MOST_REPETITION


def fluent(item: Item) -> bool:
    """The base finds the answer at most a nat a token less likely than the reference."""
    return item.said is not None and item.said.base_nll <= item.fit.base_nll + _FLUENT


def known_shares(items: Sequence[Item]) -> list[float]:
    """How much of each pair and each prose section is known, 0..1; a pair under its rewordings."""
    reworded: dict[str, list[float]] = {}
    for item in items:
        if item.kind is Kind.REWORDED:
            reworded.setdefault(item.lesson, []).append(item.fit.known)
    known = []
    for item in items:
        if item.kind in (Kind.TRAINED, Kind.PROSE):
            variants = reworded.get(item.lesson, [])
            use = variants if item.kind is Kind.TRAINED and variants else [item.fit.known]
            known.append(sum(use) / len(use))
    return known


def _figures(items: Sequence[Item]) -> Figures:
    trained = [item for item in items if item.kind is Kind.TRAINED]
    asked = [item for item in trained if item.said]
    sampled = f"{len(asked)} of {len(trained)} pairs, chosen by a hash"
    none = "the document has no pairs"
    groups = {
        "recall": _answers(
            trained, "trained on" + (f"; {sampled}" if len(asked) < len(trained) else ""), none
        ),
        "generalisation": _generalisation(items, none),
        "probes": _answers(
            [item for item in trained if item.probe], "trained on", "no pair is marked !probe"
        ),
        "prose": _prose([item for item in items if item.kind is Kind.PROSE]),
        "coherence": _coherence([item for item in items if item.said]),
        "drift": _drift(items),
    }
    return groups | {"overall": _overall(items, groups)}


def _answers(items: Sequence[Item], note: str, why_none: str) -> dict[str, Figure]:
    said = [item.said for item in items if item.said is not None]
    fits = [item.fit for item in items]
    tokens = [float(fit.tokens) for fit in fits]
    figures = {
        "right": share([one.right for one in said]),
        "exact": share([one.exact for one in said]),
        "contains": share([one.exact or one.contains for one in said]),
        "f1": mean([one.f1 for one in said]),
        "nll": mean([fit.nll for fit in fits], tokens),
        "base_nll": mean([fit.base_nll for fit in fits], tokens),
    }
    return {
        name: Figure.absent(why_none) if figure.value is None else replace(figure, note=note)
        for name, figure in figures.items()
    }


def _generalisation(items: Sequence[Item], why_none: str) -> dict[str, Figure]:
    """Pairs kept from training; where there are none, rewordings by rule, which is less."""
    held_out = [item for item in items if item.kind is Kind.HELD_OUT]
    exam = [item for item in items if item.kind is Kind.EXAM]
    if held_out or exam:
        names = [name for name, of in (("held out", held_out), ("exam", exam)) if of]
        return _answers([*held_out, *exam], " and ".join(names), why_none)
    reworded = [item for item in items if item.kind is Kind.REWORDED and item.said]
    note = "training questions reworded by rule, not an exam"
    why = "no question is long enough to reword" if why_none and _any_pair(items) else why_none
    return _answers(reworded, note, why)


def _any_pair(items: Sequence[Item]) -> bool:
    return any(item.kind is Kind.TRAINED for item in items)


def _prose(items: Sequence[Item]) -> dict[str, Figure]:
    tokens = [float(item.fit.tokens) for item in items]
    none = "the document has no prose"
    nll = mean([item.fit.nll for item in items], tokens, note="trained on", why_none=none)
    base = mean([item.fit.base_nll for item in items], tokens, note="trained on", why_none=none)
    return {
        "nll": nll,
        "base_nll": base,
        "perplexity": _mapped(nll, math.exp),
        "base_perplexity": _mapped(base, math.exp),
    }


def _coherence(items: Sequence[Item]) -> dict[str, Figure]:
    general = [item for item in items if item.base_said]
    return {
        "coherence": share([coherent(item) for item in items]),
        "ends": share([ends(item) for item in items]),
        "steady": share([item.said is not None and steady(item.said) for item in items]),
        "fluent": share([fluent(item) for item in items]),
        "general": share([coherent(item) for item in general]),
    }


def _drift(items: Sequence[Item]) -> dict[str, Figure]:
    texts = [item.fit for item in items if item.kind is Kind.TEXT]
    questions = [item for item in items if item.kind is Kind.GENERAL]
    fits = [item.fit for item in questions]
    both = [(item.said, item.base_said) for item in questions if item.said and item.base_said]
    taught = {normalise(item.reference) for item in items if item.kind is Kind.TRAINED}
    return {
        "texts": _rise(texts),
        "questions": _rise(fits),
        "changed": share([said.text != base.text for said, base in both]),
        "worse": share([said.f1 < base.f1 for said, base in both]),
        "spilled": share([normalise(said.text) in taught for said, _ in both]),
    }


def _rise(fits: Sequence[Loss]) -> Figure:
    """How much more the adapter loses than the base, nats per token."""
    return mean([fit.nll - fit.base_nll for fit in fits], [float(fit.tokens) for fit in fits])


def _overall(items: Sequence[Item], groups: Figures) -> dict[str, Figure]:
    right = [groups[name]["right"] for name in ("recall", "generalisation")]
    found = [figure.value for figure in right if figure.value is not None]
    count = sum(figure.n for figure in right)
    parts = {
        "accuracy": Figure(sum(found) / len(found), count)
        if found
        else Figure.absent("the document has no pairs"),
        "coherence": groups["coherence"]["coherence"],
        "knowledge": mean(known_shares(items), why_none="the document teaches nothing"),
    }
    missing = [name for name, figure in parts.items() if figure.value is None]
    if missing:
        return parts | {"overall": Figure.absent(f"without {' and '.join(missing)}")}
    weights = (ACCURACY, COHERENCE, KNOWLEDGE)
    values = [figure.value or 0.0 for figure in parts.values()]
    value = sum(w * v for w, v in zip(weights, values, strict=True))
    return parts | {"overall": Figure(value, sum(figure.n for figure in parts.values()))}


def _mapped(figure: Figure, change: Callable[[float], float]) -> Figure:
    """The figure on another scale; `change` must keep the order."""
    if figure.value is None:
        return figure
    low = None if figure.low is None else change(figure.low)
    high = None if figure.high is None else change(figure.high)
    return Figure(change(figure.value), figure.n, low, high, figure.note)
