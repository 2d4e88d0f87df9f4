"""Whether a question can be asked and an answer stand by themselves, judged by their form.

The rules are strict: a good pair that is lost costs little, a broken one that is trained costs
more. English only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from dlm.loops.synth.grounding import ASKING
from dlm.loops.synth.passages import ANAPHORS
from dlm.text.terms import Kind, content, terms

_STUMPS = "a an the and or that which is are was were be very"
_PARTICIPLES = (
    "built made laid set cut kept held sold found put hung left run done taken given written shown "
    "known told bought fed sent worn"
)

_WH: Final = r"what|when|where|which|who|whom|whose|why|how"
_AUXILIARY: Final = (
    r"is|are|was|were|does|did|do|can|could|must|should|may|might|will|would|shall|has|have|had"
)
_OPENING: Final = re.compile(rf"(?:(?:{_AUXILIARY}|{_WH})\b|[^?]*\b(?:{_WH})\b)", re.IGNORECASE)
_SELF: Final = re.compile(
    r"\b(?:according to|(?:the|this|that|above|given|following) (?:passage|text|paragraph|excerpt|"
    r"document|article|section|context|sentence|author|writer|statement)\b(?! files?\b)|"
    r"mentioned|described (?:here|above|below)|as stated)",
    re.IGNORECASE,
)
_POINTS: Final = re.compile(
    r"\b(?:times?|table|list|examples?|figure|steps?|values?|code) (?:below|above)\b", re.IGNORECASE
)
_VAGUE: Final = re.compile(
    r"what (?:is|are|was|were) true\b|what (?:should|do|can|must) (?:you|i|we|one) know\b|"
    r"what kind of thing\b|what (?:can|do) (?:you|we) say\b|what (?:is|are) (?:the )?times? below|"
    r"what (?:does|do) the terms?\b|what happened\?|how would you describe\b|"
    r"what must [^?]{1,40} do\?|how must\b|can you explain\b|what can be\b",
    re.IGNORECASE,
)
_ORPHAN: Final = re.compile(
    r"\b(?:the|this|that|which) (?:\w+ ){0,3}ones?\b(?! (?:another|day|who|that|which))|"
    r"\b(?:the )?(?:first|last|second|third|other|former|latter) (?:two|three|four|ones?)\b",
    re.IGNORECASE,
)
_PLURAL: Final = re.compile(
    r"what are (?:not|for|in|on|at|of|to|from|with|by|\w{2,}ed|"
    rf"{_PARTICIPLES.replace(' ', '|')}) ",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(r", (?:which|who|whose) ", re.IGNORECASE)
_NOBODY: Final = re.compile(
    r"what (?:is|are|was|were) \w+ (?:by|in|at|on|of|with|from|to|into)\?", re.IGNORECASE
)
_ENDS_NOTHING: Final = frozenset(_STUMPS.split())
_UNCLEAR: Final = ANAPHORS - {"that", "such", "one"}
_ENDED: Final = re.compile(r"[.!?…)\]\"'`”’]\Z")
_LONG: Final = 6  # words of an answer that should end like a sentence

Rule = Callable[[str, str], str | None]


def malformed(question: str, answer: str) -> str | None:
    """What is wrong with the form of a pair, or None."""
    return next((reason for rule in _RULES if (reason := rule(question, answer))), None)


def as_written(text: str, source: str) -> str:
    """`text` with a capital on each word that `source` writes only with one."""
    names = _names(source)
    found = re.compile(r"(?<![\w`])[a-z]+(?![\w`])")
    return found.sub(lambda one: one[0].capitalize() if one[0] in names else one[0], text)


def _not_a_question(question: str, answer: str) -> str | None:
    if not question.endswith("?"):
        return "the question does not end with '?'"
    if not 3 <= len(question.split()) <= 45 or question.count("?") > 2:
        return "the question is too short or too long"
    if not (question[0].isupper() or question[0] in '`"“') or not _OPENING.match(question):
        return "the question does not open like one"
    if _PLURAL.match(question) or _NOBODY.fullmatch(question):
        return "the question lacks what it asks of"
    stops = ";" in question or ": " in question or _ASIDE.search(question)
    if stops or _last(question) in _ENDS_NOTHING:
        return "the question runs on or breaks off"
    return None


def _about_the_passage(question: str, answer: str) -> str | None:
    if _SELF.search(question) or _SELF.search(answer):
        return "it speaks of the passage instead of its subject"
    if _POINTS.search(answer) or _POINTS.search(question):
        return "it points to something beside it"
    return "the question asks nothing in particular" if _VAGUE.match(question) else None


def _dangling(question: str, answer: str) -> str | None:
    """A pronoun with nothing before it that it could stand for."""
    if _ORPHAN.search(question):
        return "the question points to something it does not name"
    named = False
    for word in terms(question):
        if word.key in _UNCLEAR and not named:
            return f"the question does not say what {word.text!r} is"
        named = named or (word in content([word]) and word.key not in ASKING)
    return None


def _repeats(question: str, answer: str) -> str | None:
    for text in (question, answer):
        found = [word.key for word in terms(text)]
        threes = list(zip(found, found[1:], found[2:], strict=False))
        if len(threes) - len(set(threes)) > 1 or any(one == two for one, two in pairwise(found)):
            return "it repeats itself"
    return None


def _broken_answer(question: str, answer: str) -> str | None:
    if not (answer[0].isupper() or answer[0].isdigit() or answer[0] in "`\"“'(-*"):
        return "the answer starts in the middle"
    if len(answer.split()) > _LONG and not _ENDED.search(answer.rstrip()):
        return "the answer is cut off"
    if _last(answer) in _ENDS_NOTHING:
        return "the answer breaks off"
    return "the answer is a question" if answer.rstrip().endswith("?") else None


def _last(text: str) -> str:
    found = terms(text)
    return found[-1].text.lower() if found else ""


def _names(source: str) -> frozenset[str]:
    """In lower case, the words that stand capitalised where no sentence begins, and never else.

    A capital at the head of a sentence is one of a name where a name follows.
    """
    found = terms(source)
    names = {word.text.lower() for word in found if word.kind is Kind.NAME and _plain(word.text)}
    names |= {
        one.text.lower()
        for one, two in pairwise(found)
        if one.kind is Kind.WORD and one.text[0].isupper()
        if two.kind is Kind.NAME and _plain(two.text)
    }
    return frozenset(names - {word.text for word in found})


def _plain(name: str) -> bool:
    return name.isalpha() and name[0].isupper() and name[1:].islower()


_RULES: Final[tuple[Rule, ...]] = (
    _not_a_question,
    _about_the_passage,
    _dangling,
    _repeats,
    _broken_answer,
)
