"""What a conversation teaches: answers that were corrected, and plain good exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dlm.data.preferences import Direction, directions
from dlm.loops.chat_logs.corrections import (
    correction,
    leans_on_more,
    why_not_better,
    without_apology,
    without_greeting,
)
from dlm.loops.chat_logs.values import ASSISTANT, USER, Conversation, Turn
from dlm.text.cleaning import clean
from dlm.text.near import repetition

_MOST_REPEATED = 0.3  # share of word trigrams that stood in the answer before


@dataclass(frozen=True, slots=True)
class Corrected:
    """A question with the answer that was corrected, and the better one that came of it."""

    where: str
    prompt: str
    chosen: str
    rejected: str
    cue: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and an answer that nobody objected to."""

    where: str
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Unused:
    """A correction, or a part of a log, that gives nothing, and why."""

    where: str
    prompt: str
    reason: str


Found = Corrected | Exchange | Unused


def found_in(conversation: Conversation) -> Iterator[Found]:
    """What each question of a conversation gives, in order."""
    turns = conversation.turns
    at = next((place for place, turn in enumerate(turns) if turn.role == USER), len(turns))
    first = True
    while at + 1 < len(turns):
        chain = _chain(turns, at)
        if turns[at + 1].role == ASSISTANT:
            yield from _read(conversation.where, turns, chain, first=first)
        first = False
        at = chain[-1] + 2


def _chain(turns: tuple[Turn, ...], at: int) -> list[int]:
    """The place of a question, and those of the corrections that follow one another after it."""
    chain = [at]
    while chain[-1] + 2 < len(turns) and _cue(turns, chain[-1] + 2):
        chain.append(chain[-1] + 2)
    return chain


def _cue(turns: tuple[Turn, ...], at: int) -> str | None:
    return correction(turns[at].text, answered=turns[at - 1].text)


def _read(where: str, turns: tuple[Turn, ...], chain: list[int], *, first: bool) -> Iterator[Found]:
    prompt = without_greeting(clean(turns[chain[0]].text))
    earlier, corrected = turns[chain[0] + 1], len(chain) > 1
    if chain[-1] + 1 >= len(turns):
        yield Unused(where, prompt, "the conversation ends with a correction")
        return
    answer = turns[chain[-1] + 1]
    if not first and leans_on_more(prompt):
        if corrected:
            yield Unused(where, prompt, "the question leans on what was said before it")
        return
    if not corrected:
        if _is_good(answer) and len(prompt.split()) > 1:
            yield Exchange(where, prompt, clean(answer.text).strip())
        return
    told = "\n".join(turns[place].text for place in chain[1:])
    chosen = clean(without_apology(answer.text)).strip()
    reason = why_not_better(earlier.text, told, chosen)
    if not reason and not _is_good(answer):
        reason = "the answer after it was cut off or repeats itself"
    if reason:
        yield Unused(where, prompt, reason)
        return
    cue = _cue(turns, chain[1]) or ""
    yield Corrected(where, prompt, chosen, clean(earlier.text).strip(), cue)


def _is_good(answer: Turn) -> bool:
    return (
        answer.finished
        and Direction.DECLINING not in directions(answer.text)
        and repetition(answer.text) <= _MOST_REPEATED
    )
