"""Whether a passage says what an answer says, by its words alone.

Every answer must rest on one sentence of the passage: its content words stand there, its numbers
and names exactly and in the same company, and nothing that turns the statement round is lost. The
sentence before lends what a pronoun points to. Likelihood is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dlm.loops.synth.key_terms import misplaced
from dlm.loops.synth.lexicon import ANAPHORS, ASKING
from dlm.text.sentences import Sentence, sentences
from dlm.text.terms import RELATIONS, Kind, Term, content, names_in, terms

_LEAST_COVERAGE: Final = 0.85  # of the answer's content words
_MOST_MISSING: Final = 1
_LEAST_QUESTION_COVERAGE: Final = 0.5
_REACH: Final = 2  # words before the first shared one that may turn a statement round
_TURNS: Final = frozenset(
    {"not", "before", "after", "until", "below", "above", "under", "over", "only"}
)


@dataclass(frozen=True, slots=True)
class Support:
    """The sentence an answer rests on, or why it rests on none.

    `coverage` is the share of the answer's content words found, 0..1.
    """

    sentence: str
    context: str
    coverage: float
    reason: str | None = None
    topics: frozenset[str] = frozenset()

    @property
    def holds(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class _Line:
    """A sentence with its words, their keys, and the keys it borrows from around it."""

    sentence: Sentence
    words: tuple[Term, ...]
    keys: frozenset[str]
    lent: frozenset[str]
    context: str


@dataclass(frozen=True, slots=True)
class Ground:
    """A passage made ready to be asked: its sentences, their words, and its topics."""

    sentences: tuple[Sentence, ...]
    names: frozenset[str]
    topics: frozenset[str]
    lines: tuple[_Line, ...] = ()
    keys: frozenset[str] = frozenset()  # of the whole passage

    @classmethod
    def of(cls, passage: str, topics: Iterable[str] = ()) -> Ground:
        """Topics are keys of words that all of the document is about."""
        found = sentences(passage)
        names = names_in("\n".join(sentence.text for sentence in found))
        return cls._with(tuple(found), names, frozenset(topics))

    @classmethod
    def _with(
        cls, found: tuple[Sentence, ...], names: frozenset[str], topics: frozenset[str]
    ) -> Ground:
        read = [tuple(terms(sentence.text, names)) for sentence in found]
        lines = tuple(_line(number, found, read, names) for number in range(len(found)))
        keys = frozenset(word.key for line in read for word in line)
        return cls(found, names, topics, lines, keys)

    def support(self, question: str, answer: str) -> Support:
        """The sentence that best supports the answer to the question."""
        further = self._further_names(f"{question}\n{answer}")
        if further:
            named = self.names | further
            return self._with(self.sentences, named, self.topics).support(question, answer)
        asked = terms(question, self.names)
        said = [terms(one.text, self.names) for one in sentences(answer)] or [[]]
        best = max(
            (self._rests_on(line, asked, said[0], question) for line in self.lines),
            key=lambda support: (support.holds, support.coverage),
            default=Support("", "", 0.0, "the passage has no sentence"),
        )
        if not best.holds:
            return best
        for more in said[1:]:
            if all(self._statement(line, asked, more)[1] for line in self.lines):
                return Support(best.sentence, best.context, best.coverage, "its end has no support")
        return best

    def _further_names(self, pair: str) -> frozenset[str]:
        """Names of the pair that the passage has at the head of a sentence only."""
        unknown = names_in(pair) - self.names
        return unknown & {line.words[0].text for line in self.lines} if unknown else unknown

    def _rests_on(
        self, line: _Line, asked: Sequence[Term], said: Sequence[Term], question: str
    ) -> Support:
        coverage, reason = self._statement(line, asked, said)
        reason = (
            reason
            or self._about(line, asked)
            or _adds_nothing(asked, said)
            or _said_before(line, asked, said)
            or misplaced(line.words, asked, said, question)
        )
        return Support(line.sentence.text, line.context, coverage, reason, self.topics)

    def _statement(
        self, line: _Line, asked: Sequence[Term], said: Sequence[Term]
    ) -> tuple[float, str | None]:
        """How much of what is said stands in the sentence, and what speaks against it."""
        meant = content(said)
        if not meant:
            return 0.0, "it says nothing"
        asking = {word.key for word in asked}
        missing = [word for word in meant if not self._has(line, word, asking)]
        coverage = 1 - len(missing) / len(meant)
        for word in missing:
            if word.is_key_term or word.text[0].isupper():
                return coverage, f"{word.text!r} is not in the sentence"
            if word.key in RELATIONS:
                return coverage, f"the sentence does not say {word.text!r}"
        if coverage < _LEAST_COVERAGE or len(missing) > _MOST_MISSING:
            named = ", ".join(repr(word.text) for word in missing[:3])
            return coverage, f"the passage does not say {named}"
        return coverage, _turned(line, asked, said)

    def _has(self, line: _Line, word: Term, asking: set[str]) -> bool:
        """Whether a word of the answer stands in the sentence, is lent to it, or was asked with."""
        if word.key in line.keys or (word.key in line.lent and word.kind is Kind.WORD):
            return True
        if word.key not in asking:
            return False
        known = word.key in line.lent or word.key in self.topics
        return known or (not word.is_key_term and word.key in self.keys)

    def _about(self, line: _Line, asked: Sequence[Term]) -> str | None:
        """What the question asks about that the sentence does not speak of."""
        near = line.keys | line.lent | self.topics
        meant = [word for word in content(asked) if word.key not in ASKING]
        for word in meant:
            if word.key not in near and (word.is_key_term or word.key in self.keys):
                return f"the question is about {word.text!r}, the sentence is not"
        found = [word for word in meant if word.key in near]
        if meant and not any(word.key in line.keys for word in meant):
            return "the sentence is about something else than the question"
        if len(found) < _LEAST_QUESTION_COVERAGE * len(meant):
            return "the question is about something else than the passage"
        return None


def points_back(sentence: Sequence[Term]) -> bool:
    """Whether a sentence is about something that only the one before it names."""
    return any(word.key in ANAPHORS for word in sentence[:3])


def _adds_nothing(asked: Sequence[Term], said: Sequence[Term]) -> str | None:
    asking = {word.key for word in asked}
    if all(word.key in asking for word in content(said)):
        return "the answer only repeats the question"
    return None


def _said_before(line: _Line, asked: Sequence[Term], said: Sequence[Term]) -> str | None:
    asking = {word.key for word in asked}
    if any(word.key in line.keys and word.key not in asking for word in content(said)):
        return None
    return "the answer is what another sentence says"


def _turned(line: _Line, asked: Sequence[Term], said: Sequence[Term]) -> str | None:
    """A word such as "not" that the sentence has around what is said, and the pair lacks."""
    keys = {word.key for word in content(said)}
    places = [word.at for word in line.words if word.key in keys]
    if not places:
        return None
    pair = {word.key for word in (*said, *asked)}
    for word in line.words[max(0, places[0] - _REACH) : places[-1] + 1]:
        if word.key in _TURNS and word.key not in pair:
            return f"it leaves out {word.text!r}"
    return None


def _line(
    number: int,
    found: Sequence[Sentence],
    read: Sequence[tuple[Term, ...]],
    names: frozenset[str],
) -> _Line:
    own = read[number]
    context = _context(number, found, read)
    lent = {word.key for word in terms(found[number].heading, names)}
    lent |= {word.key for before in context for word in read[before]}
    before = " ".join(found[i].text for i in context)
    keys = frozenset(word.key for word in own)
    return _Line(found[number], own, keys, frozenset(lent), before)


def _context(number: int, found: Sequence[Sentence], read: Sequence[tuple[Term, ...]]) -> list[int]:
    """The sentences before one that its subject points back to, in their order."""
    before: list[int] = []
    while number > 0 and len(before) < 2 and points_back(read[number]):
        if found[number].paragraph != found[number - 1].paragraph:
            break
        number -= 1
        before.insert(0, number)
    return before
