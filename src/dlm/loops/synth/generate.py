"""What a teacher is asked, and the candidates that its answers hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dlm.data.chat import Codec
from dlm.data.completion import Completion, Request
from dlm.doc.document import Document
from dlm.loops.synth import Strategy, SynthOptions
from dlm.loops.synth.candidates import Candidate
from dlm.loops.synth.parsing import parse_pairs, parse_request
from dlm.loops.synth.passages import Source, chunks, sources, windows
from dlm.text.near import asked as prepared

SYSTEM: Final = "You write training data from a passage."
"""The embedded base was pretrained on exactly these words, here and below."""

_EXTRACT: Final = (
    "Write {n} question-and-answer pair(s) that the passage answers directly. "
    "Use only facts from the passage.\n\nPassage:\n{text}"
)
_EXPAND: Final = (
    "Write {n} question-and-answer pair(s) that a curious reader of the passage would ask next."
    "\n\nPassage:\n{text}"
)
_BACK: Final = "Write the request that this text answers. Do not quote it.\n\nText:\n{text}"
_MOST_AT_ONCE: Final = 6  # pairs of one completion; a teacher asked for more repeats itself
_SPARE: Final = 3  # pairs that another writes for one that is kept
_TOKENS_A_PAIR: Final = 96
_PROMPT_ROOM: Final = 96  # tokens of the prompt around a passage

_Origin = tuple[str, int, Strategy]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and where it comes from; `tries` completions were drawn for a single pair."""

    request: Request
    source: Source
    strategy: Strategy
    tries: int = 0


@dataclass(slots=True)
class Written:
    """What came of the asking: candidates, and the parts of completions that none could be read of.

    `refused` are requests without an answer, each with its reason. `said` is every pair as often as
    the teacher insisted on it: as often as one completion of a request holds it, however many hold
    it; of many tries at one fact, once if it came up again. It shows how varied a teacher writes.
    """

    candidates: list[Candidate] = field(default_factory=list)
    unparsed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)


def plan_asks(
    document: Document,
    options: SynthOptions,
    codec: Codec,
    *,
    narrow: bool,
    hints: Sequence[Source] = (),
) -> list[Ask]:
    """The requests for every prose section of the document, in its order, then for the `hints`.

    A `narrow` teacher, too small to find several facts in a long passage, gets one sentence at a
    time and is asked for one pair, several times over. Raises UsageError for an unknown section.
    """
    found = [part for source in sources(document, options.sections) for part in source.parts()]
    told = [] if options.again else [pair.answer for _, pair in document.pairs()]
    strategies = (
        (Strategy.EXTRACTION, Strategy.EXPANSION)
        if options.strategy is Strategy.BOTH
        else (options.strategy,)
    )
    return [
        ask
        for source, said in (*((each, told) for each in found), *((hint, ()) for hint in hints))
        for strategy in strategies
        for ask in (
            _narrow(source, strategy, options, said)
            if narrow
            else _wide(source, strategy, options, codec)
        )
    ]


def extraction(text: str, pairs: int) -> str:
    """The turn that asks for pairs that a passage answers."""
    return _EXTRACT.replace("{n}", str(pairs)).replace("{text}", text)


def expansion(text: str, pairs: int) -> str:
    """The turn that asks for pairs beyond a passage."""
    return _EXPAND.replace("{n}", str(pairs)).replace("{text}", text)


def backtranslation(text: str) -> str:
    """The turn that asks for the request that a text answers."""
    return _BACK.replace("{text}", text)


def read(
    asks: Sequence[Ask], answers: Sequence[Sequence[str]], *, keep_reasoning: bool = False
) -> Written:
    """The candidates in the completions of each request, in the order of the requests.

    Of a backtranslation each completion is one request for the whole text of its section.
    """
    written = Written()
    pairs: dict[_Origin, list[tuple[str, str]]] = {}
    asked: dict[_Origin, Ask] = {}
    for ask, texts in zip(asks, answers, strict=True):
        key = (*ask.source.key, ask.strategy)
        asked.setdefault(key, ask)
        completions: list[Sequence[tuple[str, str]]] = []
        for text in texts:
            parsed = (
                parse_request(text, ask.source.text)
                if ask.strategy is Strategy.BACKTRANSLATE
                else parse_pairs(text)
            )
            pairs.setdefault(key, []).extend(parsed.pairs)
            completions.append(parsed.pairs)
            written.unparsed += parsed.dropped
            thought = parsed.reasoning or (text.reasoning if isinstance(text, Completion) else "")
            if keep_reasoning and thought:
                written.reasoning.append(thought)
        written.said += _said(ask, completions)
    for key, proposed in pairs.items():
        written.candidates += [
            Candidate(question, answer, asked[key].source, key[2], votes, asked[key].tries)
            for question, answer, votes in each_once(proposed)
        ]
    return written


def normalised(question: str, answer: str) -> tuple[str, str]:
    """What two pairs share that differ in case, spacing and punctuation only."""
    pair = prepared(question, answer)
    return pair.text, pair.answer_text


def each_once(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """The different pairs in their order, with how often each occurs."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for question, answer in pairs:
        key = normalised(question, answer)
        first.setdefault(key, (question, answer))
        counts[key] = counts.get(key, 0) + 1
    return [(*first[key], count) for key, count in counts.items()]


def _said(ask: Ask, completions: Sequence[Sequence[tuple[str, str]]]) -> list[tuple[str, str]]:
    """The pairs of one request as `Written.said` counts them; a text that was given is not told."""
    if ask.tries:
        together = each_once(pair for pairs in completions for pair in pairs)
        return [(question, answer) for question, answer, votes in together if votes > 1]
    most: dict[tuple[str, str], int] = {}
    for pairs in completions:
        for question, answer, times in each_once(pairs):
            told = "" if ask.strategy is Strategy.BACKTRANSLATE else answer
            most[question, told] = max(times, most.get((question, told), 0))
    return [pair for pair, times in most.items() for _ in range(times)]


def _narrow(
    source: Source, strategy: Strategy, options: SynthOptions, told: Sequence[str]
) -> Iterator[Ask]:
    completions = options.over or options.tries
    for text in windows(source, told):
        yield _ask(source, text, strategy, options, pairs=1, completions=completions)


def _wide(source: Source, strategy: Strategy, options: SynthOptions, codec: Codec) -> Iterator[Ask]:
    wanted = options.per_section * (options.over or _SPARE)
    pairs = min(_MOST_AT_ONCE, max(2, options.per_section * 2))
    room = options.max_new_tokens or pairs * _TOKENS_A_PAIR
    limit = codec.context_length - room - _PROMPT_ROOM
    passages = list(chunks(source, codec, limit))
    for text in passages:
        completions = max(1, round(wanted / pairs / len(passages)))
        yield _ask(source, text, strategy, options, pairs=pairs, completions=completions)


def _ask(
    source: Source,
    text: str,
    strategy: Strategy,
    options: SynthOptions,
    *,
    pairs: int,
    completions: int,
) -> Ask:
    write = expansion if strategy is Strategy.EXPANSION else extraction
    request = Request(
        system=SYSTEM,
        prompt=write(text, pairs),
        n=completions,
        max_new_tokens=options.max_new_tokens or pairs * _TOKENS_A_PAIR,
        temperature=options.sampling_temperature,
        top_p=options.top_p,
        seed=options.seed,
    )
    tries = completions if pairs == 1 else 0
    return Ask(request, source, strategy, tries)
