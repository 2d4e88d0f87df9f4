"""Whether a passage says what an answer says, by its words alone.

Every answer must rest on one sentence of the passage: its content words stand there, its numbers
and names exactly and in the same company, and nothing that turns the statement round is lost. The
sentence before lends what a pronoun points to. Likelihood is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dlm.loops.synth.passages import Evidence, Line
from dlm.text.sentences import sentences
from dlm.text.terms import RELATIONS, Kind, Term, content, keys, names_in, terms

_ASKING = (
    "name call kind sort type thing many much long often far old large big happen mean purpose "
    "time day year number way reason true know text say describe term refer explain define example "
    "find make have need use work part place amount cost size color colour high weigh deep wide "
    "warm hot cold first last every each all any most"
)
_TURNS = "not before after until below above under over only"

ASKING: Final = keys(_ASKING)
"""Keys of what a question may say that no statement says."""

_LEAST_COVERAGE: Final = 0.85  # of the answer's content words
_MOST_MISSING: Final = 1
_LEAST_QUESTION_COVERAGE: Final = 0.5
_REACH: Final = 2  # words before the first shared one that may turn a statement round
_TURNING: Final = frozenset(_TURNS.split())
_AFTER: Final = 3  # words within which a neighbour on the right is the same neighbour
_BEFORE: Final = 4
_RETELLS: Final = 0.85


@dataclass(frozen=True, slots=True)
class Support:
    """The sentence an answer rests on, or why it rests on none.

    `coverage` is the share of the answer's content words found, 0..1.
    """

    sentence: str
    coverage: float
    reason: str | None = None

    @property
    def holds(self) -> bool:
        return self.reason is None


def support(evidence: Evidence, question: str, answer: str) -> Support:
    """The sentence that best supports the answer to the question."""
    # Names of the pair that the passage has at the head of a sentence only.
    further = names_in(f"{question}\n{answer}") - evidence.names
    further &= {line.words[0].text for line in evidence.lines} if further else further
    if further:
        return support(evidence.with_names(further), question, answer)
    asked = terms(question, evidence.names)
    said = [terms(one.text, evidence.names) for one in sentences(answer)] or [[]]
    best = max(
        (_rests_on(evidence, line, asked, said[0], question) for line in evidence.lines),
        key=lambda found: (found.holds, found.coverage),
        default=Support("", 0.0, "the passage has no sentence"),
    )
    if not best.holds:
        return best
    for more in said[1:]:
        if all(_statement(evidence, line, asked, more)[1] for line in evidence.lines):
            return replace(best, reason="its end has no support")
    return best


def _rests_on(
    evidence: Evidence, line: Line, asked: Sequence[Term], said: Sequence[Term], question: str
) -> Support:
    coverage, reason = _statement(evidence, line, asked, said)
    reason = (
        reason
        or _about(evidence, line, asked)
        or _adds_nothing(asked, said)
        or _said_before(line, asked, said)
        or _misplaced(line.words, asked, said, question)
    )
    return Support(line.sentence.text, coverage, reason)


def _statement(
    evidence: Evidence, line: Line, asked: Sequence[Term], said: Sequence[Term]
) -> tuple[float, str | None]:
    """How much of what is said stands in the sentence, and what speaks against it."""
    meant = content(said)
    if not meant:
        return 0.0, "it says nothing"
    asking = {word.key for word in asked}
    missing = [word for word in meant if not _has(evidence, line, word, asking)]
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


def _has(evidence: Evidence, line: Line, word: Term, asking: set[str]) -> bool:
    """Whether a word of the answer stands in the sentence, is lent to it, or was asked with."""
    if word.key in line.keys or (word.key in line.lent and word.kind is Kind.WORD):
        return True
    if word.key not in asking:
        return False
    known = word.key in line.lent or word.key in evidence.topics
    return known or (not word.is_key_term and word.key in evidence.keys)


def _about(evidence: Evidence, line: Line, asked: Sequence[Term]) -> str | None:
    """What the question asks about that the sentence does not speak of."""
    near = line.keys | line.lent | evidence.topics
    meant = [word for word in content(asked) if word.key not in ASKING]
    for word in meant:
        if word.key not in near and (word.is_key_term or word.key in evidence.keys):
            return f"the question is about {word.text!r}, the sentence is not"
    found = [word for word in meant if word.key in near]
    if meant and not any(word.key in line.keys for word in meant):
        return "the sentence is about something else than the question"
    if len(found) < _LEAST_QUESTION_COVERAGE * len(meant):
        return "the question is about something else than the passage"
    return None


def _adds_nothing(asked: Sequence[Term], said: Sequence[Term]) -> str | None:
    asking = {word.key for word in asked}
    if all(word.key in asking for word in content(said)):
        return "the answer only repeats the question"
    return None


def _said_before(line: Line, asked: Sequence[Term], said: Sequence[Term]) -> str | None:
    asking = {word.key for word in asked}
    if any(word.key in line.keys and word.key not in asking for word in content(said)):
        return None
    return "the answer is what another sentence says"


def _turned(line: Line, asked: Sequence[Term], said: Sequence[Term]) -> str | None:
    """A word such as "not" that the sentence has around what is said, and the pair lacks."""
    keys = {word.key for word in content(said)}
    places = [word.at for word in line.words if word.key in keys]
    if not places:
        return None
    pair = {word.key for word in (*said, *asked)}
    for word in line.words[max(0, places[0] - _REACH) : places[-1] + 1]:
        if word.key in _TURNING and word.key not in pair:
            return f"it leaves out {word.text!r}"
    return None


def _misplaced(
    own: Sequence[Term], asked: Sequence[Term], said: Sequence[Term], question: str
) -> str | None:
    """Why a number or name of the answer does not belong where the answer puts it, or None.

    A sentence may hold two of them; an answer that took the wrong one has every word in the right
    sentence. What gives it away is its neighbours, and what the question stands next to.
    """
    terms = [word for word in said if word.is_key_term]
    if not terms or _retells(own, said):
        return None
    for term in terms:
        places = [word for word in own if word.key == term.key]
        if not places:
            continue  # repeated from the question
        if not any(_same_company(own, place, said, term) for place in places):
            return f"the sentence puts {term.text!r} elsewhere"
        if not any(_counts_the_same(own, place, question, term) for place in places):
            return f"{term.text!r} counts something else in the sentence"
        rival = _nearer(own, places, asked, said, term)
        if rival:
            return f"{rival.text!r} stands nearer to what is asked than {term.text!r}"
    return None


def _retells(own: Sequence[Term], said: Sequence[Term]) -> bool:
    """Whether the answer is the sentence, nearly whole and in its order."""
    mine, theirs = [w.key for w in content(own)], [w.key for w in content(said)]
    shared = _common_subsequence(mine, theirs)
    return shared >= _RETELLS * len(mine) and shared == len(theirs)


def _same_company(own: Sequence[Term], place: Term, said: Sequence[Term], term: Term) -> bool:
    """Whether a neighbour of the term in the answer is its neighbour in the sentence, same side."""
    if not _same_neighbour_name(own, place, said, term):
        return False
    first, last = _whole(said, term.at)
    left = next((w.key for w in reversed(content(said[:first]))), None)
    right = next((w.key for w in content(said[last + 1 :])), None)
    if left is None and right is None:
        return True
    start, end = _whole(own, place.at)
    before = {word.key for word in own[max(0, start - _BEFORE) : start]}
    after = {word.key for word in own[end + 1 : end + 1 + _AFTER]}
    passive = start > 0 and own[start - 1].key == "by"
    if passive != (first > 0 and said[first - 1].key == "by"):
        # "designed by Garrow" and "Garrow designed"
        before, after = (after, before | after) if passive else (before | after, before)
    if term.kind is Kind.NUMBER and right is not None and said[last + 1].key == right:
        return right in after
    return left in before or right in after


def _whole(found: Sequence[Term], at: int) -> tuple[int, int]:
    """The first and last place of the name that the word at `at` is part of."""
    first = last = at
    while found[at].kind is Kind.NAME and first > 0 and found[first - 1].kind is Kind.NAME:
        first -= 1
    while found[at].kind is Kind.NAME and found[last + 1 : last + 2]:
        if found[last + 1].kind is not Kind.NAME:
            break
        last += 1
    return first, last


def _same_neighbour_name(
    own: Sequence[Term], place: Term, said: Sequence[Term], term: Term
) -> bool:
    """Names that stand side by side are one name: "Ines Calloway" is not "Maud Calloway"."""
    for step in (-1, 1):
        at = term.at + step
        if 0 <= at < len(said) and said[at].kind is term.kind is Kind.NAME:
            beside = place.at + step
            if not (0 <= beside < len(own) and own[beside].key == said[at].key):
                return False
    return True


def _counts_the_same(own: Sequence[Term], place: Term, question: str, term: Term) -> bool:
    """In "how many trays", the number of the answer must be one of trays in the sentence."""
    if term.kind is not Kind.NUMBER:
        return True
    asked = terms(question)
    for number, word in enumerate(asked[:-2]):
        if word.key == "how" and asked[number + 1].key == "many":
            counted = [w.key for w in asked[number + 2 : number + 5]]
            after = {w.key for w in own[place.at + 1 : place.at + 4]}
            noun_elsewhere = not any(w.key in counted for w in content(own))
            return noun_elsewhere or any(key in after for key in counted)
    return True


def _nearer(
    own: Sequence[Term],
    places: Sequence[Term],
    asked: Sequence[Term],
    said: Sequence[Term],
    term: Term,
) -> Term | None:
    """Another term of the same kind that stands nearer to the words of question and answer."""
    used = {word.key for word in (*asked, *said)}
    anchors = {word.key for word in content([*asked, *said]) if word.key != term.key} & {
        word.key for word in own
    }
    if not anchors:
        return None
    own_distance = min(_distance(own, place.at, anchors) for place in places)
    rivals = [word for word in own if word.kind is term.kind and word.key not in used]
    for rival in rivals:
        if _distance(own, rival.at, anchors) < own_distance:
            return rival
    return None


def _distance(own: Sequence[Term], at: int, anchors: set[str]) -> int:
    return sum(min(abs(word.at - at) for word in own if word.key == key) for key in anchors)


def _common_subsequence(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(two) + 1)
    for first in one:
        diagonal = 0
        for column, second in enumerate(two, 1):
            diagonal, row[column] = (
                row[column],
                diagonal + 1 if first == second else max(row[column], row[column - 1]),
            )
    return row[-1]
