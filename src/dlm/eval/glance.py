"""What is measured between two saves: the answers just trained, and the probes. Nothing else.

A scorecard of fewer items than `measure` gives; what it leaves out is absent, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dlm.data.chat import Codec, Encoded
from dlm.data.lessons import Lesson, Lessons, Role
from dlm.engine.decoding import generate
from dlm.engine.model import Model, Score
from dlm.eval.answers import score_answer
from dlm.eval.items import Fit, Item, Kind, Said
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.text.near import repetition

MOST_PAIRS: Final = 200
"""How many pairs are scored, besides the probes and those that were just trained."""

MOST_ASKED: Final = 16
"""How many probes are asked whose answer is not known to be right from its score."""

_ROOM: Final = 1.5  # times the length of the reference
_LONGEST: Final = 96  # tokens


class BaseScores:
    """What the frozen base makes of rows; each is scored once."""

    def __init__(self, model: Model, pad_id: int) -> None:
        self._model, self._pad_id = model, pad_id
        self._known: dict[tuple[int, ...], Score] = {}

    def of(self, rows: Sequence[Encoded]) -> list[Score]:
        """The score of every row, in order."""
        keys = [tuple(row.ids) for row in rows]
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in self._known}
        if new:
            with self._model.base_only():
                found = self._model.score(list(new.values()), pad_id=self._pad_id)
            self._known |= zip(new, found, strict=True)
        return [self._known[key] for key in keys]


def glance(
    model: Model,
    codec: Codec,
    lessons: Lessons,
    rows: Sequence[Encoded],
    is_new: Callable[[Lesson], bool],
    base: BaseScores,
    *,
    document_sha256: str,
) -> Scorecard:
    """Score pairs and ask probes; `rows` are those of all pairs of `lessons`, in order.

    Where the reference is what greedy decoding gives, token for token, the probe passes unasked.
    """
    chosen = _chosen(lessons.pairs, is_new)
    scored = [rows[place] for place in chosen]
    pairs = [lessons.pairs[place] for place in chosen]
    fits = [
        Fit(now.nll, without.nll, now.tokens, now.exact)
        for now, without in zip(
            model.score(scored, pad_id=codec.pad_id), base.of(scored), strict=True
        )
    ]
    asked = [
        place
        for place, (pair, fit) in enumerate(zip(pairs, fits, strict=True))
        if _is_probe(pair) and not fit.exact
    ][:MOST_ASKED]
    answers = _ask(model, codec, base, [(pairs[place], scored[place]) for place in asked])
    said = dict(zip(asked, answers, strict=True))
    items = [
        _item(pair, fit, said.get(place) or (_as_known(pair, fit) if fit.exact else None))
        for place, (pair, fit) in enumerate(zip(pairs, fits, strict=True))
    ]
    return scorecard(
        items,
        document_sha256=document_sha256,
        pairs=len(pairs),
        asked_pairs=sum(item.said is not None for item in items),
    )


def _chosen(pairs: Sequence[Lesson], is_new: Callable[[Lesson], bool]) -> list[int]:
    """The places of the pairs to look at, in document order."""
    must = {place for place, pair in enumerate(pairs) if is_new(pair)}
    others = [place for place in range(len(pairs)) if place not in must]
    others.sort(key=lambda place: not _is_probe(pairs[place]))
    return sorted(must | set(others[:MOST_PAIRS]))


def _ask(
    model: Model, codec: Codec, base: BaseScores, asked: Sequence[tuple[Lesson, Encoded]]
) -> list[Said]:
    if not asked:
        return []
    bound = min(_LONGEST, int(_ROOM * max(sum(row.supervised) for _, row in asked)) + 1)
    prompts = [codec.prompt_ids([{"role": "user", "content": e.question}]) for e, _ in asked]
    answers = generate(
        model, prompts, max_new_tokens=bound, stop_ids=codec.stop_ids, pad_id=codec.pad_id
    )
    spoken = []
    for prompt, ids, (_, row) in zip(prompts, answers, asked, strict=True):
        # The row of the reference ends with the token that ends a turn.
        answer = ids if len(ids) == bound else [*ids, row.ids[-1]]
        spoken.append(Encoded([*prompt, *answer], [False] * len(prompt) + [True] * len(answer)))
    found = zip(asked, answers, base.of(spoken), strict=True)
    return [_said(codec, e, ids, score.nll, len(ids) < bound) for (e, _), ids, score in found]


def _said(codec: Codec, pair: Lesson, ids: list[int], base_nll: float, finished: bool) -> Said:
    text = codec.decode(ids).strip()
    near = score_answer(text, pair.text, pair.question)
    return Said(text, near.exact, near.contains, near.f1, finished, repetition(text), base_nll)


def _as_known(pair: Lesson, fit: Fit) -> Said:
    text = pair.text
    return Said(text, True, True, 1.0, True, repetition(text), fit.base_nll)


def _item(pair: Lesson, fit: Fit, said: Said | None) -> Item:
    return Item(
        Kind.TRAINED,
        pair.question,
        pair.text,
        fit,
        pair.section_id,
        pair.line,
        probe=_is_probe(pair),
        said=said if _is_probe(pair) else None,
        lesson_id=pair.id,
    )


def _is_probe(pair: Lesson) -> bool:
    return pair.role is Role.PROBE
