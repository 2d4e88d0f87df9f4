"""Scores triples under a loaded model: the likelihoods of both answers, and how long it answers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson
from dlm.data.pair_rows import PairRow
from dlm.engine.decoding import generate
from dlm.engine.model import Model
from dlm.train.preference.figures import PairScore

_ASKED = 16  # prompts, spread over the triples
_LONGEST = 128  # tokens
_ROOM = 1.5  # times the longest answer of the triples


def score_pairs(model: Model, rows: Sequence[PairRow], pad_id: int) -> list[PairScore]:
    """One score a row, under the model as it stands."""
    both = [row.chosen.encoded for row in rows] + [row.rejected.encoded for row in rows]
    scores = model.score(both, pad_id=pad_id)
    return [
        PairScore(
            -chosen.nll * chosen.tokens,
            -rejected.nll * rejected.tokens,
            chosen.tokens,
            rejected.tokens,
        )
        for chosen, rejected in zip(scores[: len(rows)], scores[len(rows) :], strict=True)
    ]


def answer_length(
    model: Model, triples: Sequence[Lesson], rows: Sequence[PairRow], codec: Codec
) -> float:
    """The mean length of greedy answers to some of the prompts, in tokens."""
    every = max(1, len(triples) // _ASKED)
    prompts = [
        codec.prompt_ids([{"role": "user", "content": one.prompt}])
        for one in triples[::every][:_ASKED]
    ]
    longest = max(sum(row.supervised) for pair in rows for row in (pair.chosen, pair.rejected))
    answers = generate(
        model,
        prompts,
        max_new_tokens=min(_LONGEST, int(_ROOM * longest) + 1),
        stop_ids=codec.stop_ids,
        pad_id=codec.pad_id,
    )
    return fmean(map(len, answers))
