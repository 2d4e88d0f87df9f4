"""Backtranslation: the request that a text of the owner's answers (Li et al., 2023).

Candidates are drawn hot, scored by what each saves the frozen model in predicting its text, and the
best few of each text are kept. One that quotes the text, or helps another text as much, is dropped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from dlm.data.chat import Codec
from dlm.data.completion import Request
from dlm.data.rows import sequence_length
from dlm.doc.document import Document
from dlm.loops.judges import asked
from dlm.loops.proposals import Existing, Questions
from dlm.loops.synth import Filter, Strategy, SynthOptions
from dlm.loops.synth.candidates import Candidate, Stage
from dlm.loops.synth.filters import Bench, checked, repeats
from dlm.loops.synth.generate import SYSTEM, Ask, backtranslation
from dlm.loops.synth.grounding import ASKING
from dlm.loops.synth.passages import sources
from dlm.text.near import shares_run
from dlm.text.terms import content, keys, terms

_REQUESTING = (
    "write give overview short text tell describe explain summary summarize summarise list "
    "paragraph essay poem story note guide introduce introduction article piece brief detail "
    "detailed compose create draft provide outline discuss tone mood style please sketch "
    "instruction section"
)
SHARED_TOKENS: Final = 8  # in a row, that a request may not have in common with its text
_NEW_TOKENS: Final = 64
_REQUEST_ROOM: Final = 96  # tokens for the request before its text, in a training row
_LEAST_GAIN: Final = 0.0  # nats per token
_OTHERS: Final = 12  # sections that a request is tried on besides its own
_LONGEST: Final = 400  # characters
_OF_REQUESTS: Final = keys(_REQUESTING)
_QUOTED: Final = re.compile(r"[\"“«].{20,}?[\"”»]")
_SELF: Final = re.compile(
    r"\b(?:(?:the|this|that) (?:text|passage|document|article|section|author)|above|following)\b",
    re.IGNORECASE,
)


def back_asks(
    document: Document, options: SynthOptions, codec: Codec
) -> tuple[list[Ask], list[str]]:
    """One request a section, and a note on each that is too long to be a target.

    A target must fit a training row together with its request, and be read whole by the teacher.
    """
    longest = sequence_length(document.frontmatter.training, codec.context_length) - _REQUEST_ROOM
    new = options.max_new_tokens or _NEW_TOKENS
    limit = min(options.max_target_tokens, longest, codec.context_length - new - _REQUEST_ROOM)
    asks: list[Ask] = []
    notes: list[str] = []
    for source in sources(document, options.sections):
        text = source.text
        size = len(codec.encode(text))
        if size > limit:
            line = source.section.line
            notes.append(
                f"the section of line {line} has {size} tokens, more than {limit}: skipped"
            )
            continue
        request = Request(
            system=SYSTEM,
            prompt=backtranslation(text),
            n=options.candidates,
            max_new_tokens=new,
            temperature=options.sampling_temperature,
            top_p=options.top_p,
            seed=options.seed,
        )
        asks.append(Ask(request, source, Strategy.BACKTRANSLATE))
    return asks, notes


def backtranslated(
    candidates: Sequence[Candidate], document: Document, options: SynthOptions, bench: Bench
) -> list[Candidate]:
    """Every candidate, those that were dropped with their stage and reason."""
    exam, known = Existing(document).sealed, Questions.of(document).repeated
    codec = bench.resident.codec
    out = checked(candidates, Stage.PARSED, _unusable)
    out = checked(out, Stage.DEDUP, lambda one: repeats(exam, one), bench.tell)
    out = checked(out, Stage.DEDUP, lambda one: repeats(known, one), bench.tell)
    if options.filter is Filter.SWAY:
        out = checked(out, Stage.GROUNDED, lambda one: _leak(one, codec))
        out = checked(out, Stage.GROUNDED, _off_topic)
        out = _scored(out, options, bench)
    return _best(out, options)


def _unusable(candidate: Candidate) -> str | None:
    request = candidate.question
    if not 2 <= len(request.split()) <= 120 or len(request) > _LONGEST:
        return "the request is too short or too long"
    if not request.endswith((".", "?", "!", ":", '"', ")")):
        return "the request breaks off"
    return "it speaks of the text instead of its subject" if _SELF.search(request) else None


def _leak(candidate: Candidate, codec: Codec) -> str | None:
    if _QUOTED.search(candidate.question):
        return "it quotes"
    # With and without a space before it, because a word has different tokens at the start.
    for request in (candidate.question, f" {candidate.question}"):
        for text in (candidate.answer, candidate.answer.lower()):
            given = request if text is candidate.answer else request.lower()
            if shares_run(codec.encode(given), codec.encode(text), SHARED_TOKENS):
                return f"it shares {SHARED_TOKENS} tokens in a row with the text"
    return None


def _off_topic(candidate: Candidate) -> str | None:
    """A request mostly about what the text does not name; small teachers drift far."""
    names = candidate.source.evidence.names
    meant = [
        word
        for word in content(terms(candidate.question, names))
        if word.key not in ASKING | _OF_REQUESTS
    ]
    known = {word.key.lower() for word in terms(candidate.answer, names)}
    strange = [word.text for word in meant if word.key.lower() not in known]
    if not meant or 2 * len(strange) >= len(meant):
        named = f" but of {strange[0]!r}" if strange else ""
        return f"it does not speak of the text{named}"
    return None


def _scored(
    candidates: Sequence[Candidate], options: SynthOptions, bench: Bench
) -> list[Candidate]:
    """Gain on the own text, and on the others; both against the loss with no request."""
    from dlm.engine.resident import Scored

    alive = [at for at, one in enumerate(candidates) if not one.dropped]
    texts = list(dict.fromkeys(one.answer for one in candidates))
    out = list(candidates)
    if not alive:
        return out
    adapter = options.scorer == "self"
    score = partial(bench.resident.score, adapter=adapter, tell=bench.tell)
    bare = [one.nll for one in score([Scored(None, text) for text in texts])]
    without = dict(zip(texts, bare, strict=True))
    tries = [(at, text) for at in alive for text in _tried(candidates[at].answer, texts)]
    rows = [Scored(asked(candidates[at].question), text) for at, text in tries]
    gains: dict[int, dict[str, float]] = {at: {} for at in alive}
    for (at, text), found in zip(tries, score(rows), strict=True):
        gains[at][text] = without[text] - found.nll
    threshold = _LEAST_GAIN if options.threshold is None else options.threshold
    for at in alive:
        out[at] = _weighed(candidates[at], gains[at], threshold)
    return out


def _tried(own: str, texts: Sequence[str]) -> list[str]:
    """The own text and those that a request is compared on, spread over the document."""
    others = [text for text in texts if text != own]
    step = max(1, math.ceil(len(others) / _OTHERS))
    return [own, *others[::step]]


def _weighed(candidate: Candidate, gains: dict[str, float], threshold: float) -> Candidate:
    own = gains[candidate.answer]
    others = [gain for text, gain in gains.items() if text != candidate.answer]
    if not math.isfinite(own):
        return candidate.drop(Stage.JUDGED, "it is too long to be scored")
    candidate = candidate.scored(gain=own, judge=own)
    rivals = [gain for gain in others if math.isfinite(gain)]
    if rivals:
        candidate = candidate.scored(others=max(rivals))
        if max(rivals) >= own:
            return candidate.drop(Stage.GROUNDED, "it helps another section as much as its own")
    if own <= threshold:
        return candidate.drop(Stage.THRESHOLD, f"it helps by {own:.3f} nats a token only")
    return candidate


def _best(candidates: Sequence[Candidate], options: SynthOptions) -> list[Candidate]:
    """The top few requests of each text that do not repeat each other."""
    order = sorted(
        (at for at, one in enumerate(candidates) if not one.dropped),
        key=lambda at: (-candidates[at].scores.get("gain", 0.0), at),
    )
    out = list(candidates)
    asked_before = Questions()
    kept: dict[str, int] = {}
    for at in order:
        one = out[at]
        where = asked_before.repeated(one.question, one.answer)
        full = kept.get(one.source.id, 0) >= options.top_k or (
            options.max_pairs is not None and sum(kept.values()) >= options.max_pairs
        )
        if where or full:
            out[at] = one.drop(
                Stage.ACCEPTED, f"it repeats {where}" if where else "others help more"
            )
            continue
        kept[one.source.id] = kept.get(one.source.id, 0) + 1
        asked_before.add(one.question, "", f"{one.question!r}")
    return out
