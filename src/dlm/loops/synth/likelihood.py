"""What the frozen base makes of a pair: is the answer likelier with the passage, with the question?

The second is instruction-following difficulty, IFD (Li et al., 2024, "From Quantity to Quality"):
loss(answer | question) / loss(answer). Names and numbers are put to the test by swapping them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dlm.loops.judges import Question, Sway, SwayJudge, asked_with
from dlm.loops.synth.candidates import Candidate
from dlm.loops.synth.grounding import Ground
from dlm.loops.synth.options import Strategy
from dlm.loops.synth.passages import around
from dlm.text.terms import Kind, terms

if TYPE_CHECKING:
    from dlm.engine.resident import Resident

_LEAST_SUPPORT: Final = 0.3  # nats per token that reading the passage must save
_HARDEST: Final = 0.98  # IFD from which on the question does not help
_EASIEST: Final = 0.08  # IFD below which the answer can only be a copy
_MOST_TERMS: Final = 2
_MOST_SWAPS: Final = 3  # for each term


@dataclass(frozen=True, slots=True)
class Measured:
    """Losses of one candidate, in nats per token; `rival` is the likeliest swapped answer."""

    sway: Sway
    plain: float
    rival: str = ""
    rival_loss: float = math.inf

    @property
    def difficulty(self) -> float:
        """IFD: how much of the answer's loss is left once the question is known."""
        return self.sway.alone / self.plain if self.plain > 0 else math.nan


def measure(resident: Resident, candidates: Sequence[Candidate]) -> list[Measured]:
    """Score the candidates under the base and, where there is one, the adapter, in batches."""
    from dlm.engine.resident import Scored

    passages = [passage_of(candidate) for candidate in candidates]
    questions = [
        Question(one.question, (one.answer,), passage=passage)
        for one, passage in zip(candidates, passages, strict=True)
    ]
    swayed = [row[0] for row in SwayJudge(resident).sway(questions)]
    swaps = [
        [] if one.strategy is Strategy.EXPANSION else list(swapped(one.answer, one.source.ground))
        for one in candidates
    ]
    plain = [Scored(None, one.answer) for one in candidates]
    rivals = [
        Scored(asked_with(passage or "", one.question), text)
        for one, passage, texts in zip(candidates, passages, swaps, strict=True)
        for text in texts
    ]
    scores = resident.score([*plain, *rivals], adapter=False)
    losses = iter(score.nll for score in scores[len(plain) :])
    measured = []
    for sway, score, texts in zip(swayed, scores, swaps, strict=False):
        found = [(next(losses), text) for text in texts]
        loss, rival = min(found, default=(math.inf, ""))
        measured.append(Measured(sway, score.nll, rival, loss))
    return measured


def ungrounded(candidate: Candidate, measured: Measured) -> str | None:
    """Why the base does not find the answer in the passage, or None."""
    sway = measured.sway
    if math.isnan(sway.alone) or math.isnan(sway.reading):
        return "it is too long to be scored"
    if sway.support < _LEAST_SUPPORT:
        return f"the passage makes the answer likelier by {sway.support:.2f} nats a token only"
    if measured.rival_loss < sway.reading:
        return f"{measured.rival!r} is likelier after the passage"
    return None


def too_easy_or_hard(measured: Measured) -> str | None:
    """Why the pair would teach nothing, or None."""
    difficulty = measured.difficulty
    if math.isnan(difficulty):
        return "it is too long to be scored"
    if difficulty >= _HARDEST:
        return f"the question does not help with the answer (IFD {difficulty:.2f})"
    if difficulty < _EASIEST:
        return f"the answer copies the question (IFD {difficulty:.2f})"
    return None


def passage_of(candidate: Candidate) -> str | None:
    """The paragraph a candidate rests on; of an expansion none is expected to."""
    if candidate.strategy is Strategy.EXPANSION:
        return None
    return around(candidate.source.ground, candidate.sentence)


def swapped(answer: str, ground: Ground) -> Iterator[str]:
    """The answer with a name or number of it exchanged for others of the passage."""
    said = terms(answer, ground.names)
    known = {word.key for word in said}
    others = [word for line in ground.lines for word in line.words if word.key not in known]
    for term in [word for word in said if word.is_key_term][:_MOST_TERMS]:
        seen: set[str] = set()
        for other in others:
            if other.kind is term.kind and other.key not in seen and len(seen) < _MOST_SWAPS:
                seen.add(other.key)
                put = other.text if term.kind is Kind.NAME else _cased(other.text, term.text)
                yield answer.replace(term.text, put, 1)


def _cased(text: str, like: str) -> str:
    return text[:1].upper() + text[1:] if like[:1].isupper() else text[:1].lower() + text[1:]
