"""Answers to the questions of a document, as candidates, and who gives them.

The current version answers, the same with less of its adapter, the base, or the oldest version.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dlm.data.completion import Completion, Refused, Request
from dlm.data.lessons import Lesson
from dlm.doc.document import Document
from dlm.doc.render import render_triple
from dlm.engine.resident import Resident, Scored
from dlm.errors import DocumentError, StoreError, UsageError
from dlm.loops.judges import asked
from dlm.loops.mine.candidates import AUTHORED, Candidate, Drop, Mined, MineOptions, RejectFrom
from dlm.loops.teachers import Cached, Counts, LocalTeacher
from dlm.store.database import Database
from dlm.store.store import open_store
from dlm.text.cleaning import clean
from dlm.text.near import repetition
from dlm.text.words import normalise
from dlm.working import Tell

# Of an adapter that knows an answer by heart: with less of it the model half remembers, and what it
# says is near the truth and wrong.
_LESS: Final = ((0.5, "half"), (0.25, "a quarter of its"))
_MOST_REPEATED: Final = 0.3  # share of word trigrams that stood in the answer before
_FLUENT: Final = 1.0  # nats a token above what the base gives the answer of the document


@dataclass(slots=True)
class Sampled:
    """The prompts with their candidates, what was asked for them, and what to tell the owner."""

    mined: list[Mined]
    counts: list[tuple[str, Counts]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sample(
    document: Document,
    pairs: Sequence[Lesson],
    resident: Resident,
    options: MineOptions,
    database: Database,
    tell: Tell,
) -> Sampled:
    """Draw answers of the current version, and of the model that is to be rejected.

    Where that is the current version too, and it says the same each time, it is asked again with
    less of its adapter. What was answered before comes from the store.
    """
    sampled = Sampled([Mined(pair) for pair in pairs])
    mined = sampled.mined

    def draw(voice: LocalTeacher, places: Sequence[int], *, better: bool, worse: bool) -> None:
        cached = Cached(voice, database)
        requests = [_request(document, mined[place].prompt, options) for place in places]
        # The first voice is asked everything; the others may find nothing to say.
        answers, error = cached.answers(requests, tell, needed=not sampled.counts)
        if error is not None:
            raise error
        refused = (texts.reason for texts in answers if isinstance(texts, Refused))
        sampled.notes += [why for why in dict.fromkeys(refused) if why not in sampled.notes]
        sampled.counts.append((voice.name, cached.counts))
        for place, texts in zip(places, answers, strict=True):
            roles = Candidate("", voice.name, better, worse)
            mined[place] = _with(mined[place], texts, roles)
        mined[:] = _fluent(mined, voice.name, resident, tell)

    voice = _current(document, resident)
    every = range(len(mined))
    with _rejected(document, resident, options.reject_from) as other:
        draw(voice, every, better=True, worse=other is None)
        if other is not None:
            draw(other, every, better=False, worse=True)
        for weaker in () if other else _weakened(voice):
            if alone := [place for place in every if len(mined[place].left) < 2]:
                draw(weaker, alone, better=False, worse=True)
    alike = sum(len(each.left) < 2 for each in mined)
    if alike and other is None:
        sampled.notes.append(
            f"{alike} of {len(mined)} prompts get one and the same answer whatever the strength of "
            "the adapter; --reject-from base, or a higher --temp, finds others"
        )
    if options.authored:
        mined[:] = [_with_authored(each) for each in mined]
    return sampled


def _current(document: Document, resident: Resident) -> LocalTeacher:
    """The current version; StoreError when there is none yet."""
    if resident.version is None:
        raise StoreError(
            f"{document.path} is not trained yet, so it has no answers of its own to compare",
            hint=f"run `dlm train {document.path}` first",
        )
    return LocalTeacher(resident, f"self:{resident.version.name}", adapter=True)


def _weakened(voice: LocalTeacher) -> Iterator[LocalTeacher]:
    """The same version with half of its adapter, then with a quarter."""
    for strength, word in _LESS:
        name = f"{voice.name} at {word} strength"
        yield LocalTeacher(voice.resident, name, adapter=True, strength=strength)


@contextlib.contextmanager
def _rejected(
    document: Document, resident: Resident, kind: RejectFrom
) -> Iterator[LocalTeacher | None]:
    """The model whose answers are rejected; None when it is the current version itself.

    Raises UsageError when the oldest version there is is the current one.
    """
    if kind is RejectFrom.SELF:
        yield None
    elif kind is RejectFrom.BASE:
        yield LocalTeacher(resident, f"base:{resident.base.key}", adapter=False)
    else:
        name = _oldest(document, resident)
        with Resident.open(document, version=name) as opened:
            yield LocalTeacher(opened, f"self:{name}", adapter=True)


def _oldest(document: Document, resident: Resident) -> str:
    with open_store(document) as store:
        first = min(store.versions(), key=lambda version: version.number)
    if resident.version is None or first.number == resident.version.number:
        raise UsageError(
            f"{first.name} is the oldest version and the current one, so neither can be rejected",
            hint="--reject-from base, or train again first",
        )
    return first.name


def _request(document: Document, prompt: str, options: MineOptions) -> Request:
    return Request(
        system=document.frontmatter.system_prompt or "",
        prompt=prompt,
        n=options.samples,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
    )


def _with(mined: Mined, texts: Sequence[str], roles: Candidate) -> Mined:
    """The prompt with these answers among its candidates; those with equal words are one."""
    read = [(_text(text), text) for text in texts]
    times = Counter(_key(text) for text, _ in read)
    known = {_key(one.text) for one in mined.candidates}
    found: dict[str, Candidate] = {}
    for text, raw in read:
        key = _key(text)
        one = replace(roles, text=text, times=times[key])
        if reason := _not_whole(mined.prompt, text, raw):
            found.setdefault(key, one.drop(Drop.WHOLE, reason))
        elif key in known:
            found.setdefault(key, one.drop(Drop.DISTINCT, "another model said so too"))
        elif key not in found or found[key].dropped:
            found[key] = one
    return replace(mined, candidates=(*mined.candidates, *found.values()))


def _with_authored(mined: Mined) -> Mined:
    """The prompt with the document's own answer among those that may be chosen."""
    key = _key(mined.answer)
    others = [one for one in mined.candidates if not (_key(one.text) == key and one.better)]
    own = Candidate(mined.answer, AUTHORED, better=True, worse=False)
    return replace(mined, candidates=(*others, own))


def _not_whole(prompt: str, text: str, raw: str) -> str | None:
    if not text:
        return "it is empty"
    if isinstance(raw, Completion) and not raw.finished:
        return "it was cut off before it ended"
    if repetition(text) > _MOST_REPEATED:
        return "it repeats itself"
    try:
        render_triple(prompt, text, text)
    except DocumentError as error:
        return error.message
    return None


def _fluent(mined: Sequence[Mined], source: str, resident: Resident, tell: Tell) -> list[Mined]:
    """The prompts without those answers of a model that the base finds odder than the known one.

    Noise against sense is no contrast to learn from.
    """
    rows = [(each, one) for each in mined for one in each.left if one.source == source]
    answers = [Scored(asked(each.prompt), each.answer) for each in mined]
    said = [Scored(asked(each.prompt), one.text) for each, one in rows]
    scores = resident.score([*answers, *said], adapter=False, tell=tell)
    losses = [score.nll for score in scores]
    bounds = dict(zip(map(id, mined), losses, strict=False))
    odd = {
        id(one)
        for (each, one), loss in zip(rows, losses[len(mined) :], strict=True)
        if not loss <= bounds[id(each)] + _FLUENT
    }
    return [
        replace(
            each,
            candidates=tuple(_noise(one) if id(one) in odd else one for one in each.candidates),
        )
        for each in mined
    ]


def _noise(candidate: Candidate) -> Candidate:
    return candidate.drop(Drop.WHOLE, "it is not fluent: the base finds it very unlikely")


def _text(raw: str) -> str:
    return clean(raw).strip()


def _key(text: str) -> str:
    """What answers share that differ in case, punctuation and articles only."""
    return normalise(text) or text
