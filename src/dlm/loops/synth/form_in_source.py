"""Whether question and answer are made of their source by the rules of English.

Small models copy well and build questions badly: a statement behind an auxiliary, a command where a
subject is due, a word that nobody said. Each rule takes a pair with what supports it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dlm.loops.synth.grounding import Support
from dlm.loops.synth.lexicon import (
    AMOUNTS,
    ANAPHORS,
    ASKING,
    CONDITIONS,
    DETERMINERS,
    PARTICIPLES,
    PEOPLE,
    PREPOSITIONS,
    SUBJECTS,
)
from dlm.text.terms import Kind, Term, content, terms

_WH: Final = r"(?:what|when|where|which|who|whom|whose|why|how)(?: \w+)?"
_MODAL: Final = "can could must should may might will would shall"
_MODALS: Final = frozenset(_MODAL.split())
_BE: Final = frozenset(["is", "are", "was", "were", "be", "been"])
_FORM: Final = re.compile(
    rf"{_WH} (is|are|was|were|does|did|do|{_MODAL.replace(' ', '|')}) (.+)\?", re.IGNORECASE
)
_HOW_MANY: Final = re.compile(r"\bhow (?:many|much|long|old|far|often|tall|high|heavy)\b", re.I)
_NAME_OF: Final = re.compile(r"\bnames? of\b|\bcalled\?|\bknown as\?", re.I)
_WHO: Final = re.compile(r"who\b|whose\b", re.I)
_HOW_TO: Final = re.compile(r"how (?:do|can|should|would) (?:you|i|we|one)\b", re.I)
_WHAT_TO: Final = re.compile(r"what (?:do|can|should|would) (?:you|i|we|one) do\b", re.I)
_DEFINED: Final = re.compile(r"how (?:is|are) .* defined\?", re.I)
_HAPPENED: Final = re.compile(r"what happened\b", re.I)
_YEAR: Final = re.compile(r"\b\d{4}s?\b")
_IF: Final = re.compile(r"what (?:happens|will happen|should \w+ do) (?:if|when|whenever)\b", re.I)
_FORBIDS: Final = frozenset(["not", "never", "don't"])
_SAYS_ALL: Final = 0.9  # of the words of the sentence that a question may say


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pair with its source, cut into words once; `auxiliary` and `tail` are of the question."""

    question: str
    answer: str
    support: Support
    asked: list[str]
    said: list[str]
    source: list[str]
    auxiliary: str = ""
    tail: tuple[str, ...] = ()


Rule = Callable[[_Pair], str | None]


def misshapen(question: str, answer: str, support: Support) -> str | None:
    """What is wrong with a pair, given the sentence that supports it, or None."""
    form = _FORM.fullmatch(question)
    pair = _Pair(
        question,
        answer,
        support,
        _tokens(question),
        _tokens(answer),
        _tokens(support.sentence),
        form[1].lower() if form else "",
        tuple(_tokens(form[2])) if form else (),
    )
    return next((reason for rule in _RULES if (reason := rule(pair))), None)


def _glued(pair: _Pair) -> str | None:
    """Words run together, as in "What doesOpen"."""
    source = f"{pair.support.context} {pair.support.sentence}"
    for match in re.finditer(r"\b[a-z]+[A-Z]\w*", f"{pair.question} {pair.answer}"):
        if match[0] not in source:
            return f"{match[0]!r} is not a word of the passage"
    return None


def _pasted_command(pair: _Pair) -> str | None:
    """ "What does Wipe the plate": an imperative where a subject is due."""
    first = pair.source[:2]
    if not _is_command(first):
        return None
    for number in range(1, len(pair.asked) - 1):
        if pair.asked[number : number + 2] == first and pair.asked[number - 1] not in SUBJECTS:
            return "the question pastes a command of the passage"
    return None


def _statement_inside(pair: _Pair) -> str | None:
    """ "What does the drawer holds", "What is the dryer remembers the codes"."""
    tail, source, auxiliary = pair.tail, pair.source, pair.auxiliary
    if not tail or auxiliary == "do":
        return None
    inside = "the question has a statement in it"
    if auxiliary in _BE:
        long = len(content(terms(" ".join(tail)))) > 2
        if long and not _BE & set(source) and set(tail) <= set(source):
            return inside
        bare = [word for word in tail if word not in source and f"{word}s" in source]
        return inside if (bare and "to" not in tail) or {"be", "do"} & set(tail) else None
    if _within(tail, source):
        return inside
    # A verb in its base form is a word that the sentence does not have.
    verbs = [word for word in tail if word not in source and not word.endswith("ing")]
    if auxiliary not in source and not verbs:
        return inside
    if tail[-1] == "do" and any(f"{word}s" in source for word in tail[:-1] if word not in source):
        return inside
    return None


def _unanswered_verb(pair: _Pair) -> str | None:
    """ "How does the dryer take?", "What does the dryer run?" where it runs on something."""
    if pair.auxiliary not in ("does", "do", "did") or not pair.tail:
        return None
    verb = pair.tail[-1]
    places = [at for at, word in enumerate(pair.source) if word in (f"{verb}s", f"{verb}es", verb)]
    after = {word for at in places for word in pair.source[at + 1 : at + 2]}
    if pair.asked[0] == "what" and after & PREPOSITIONS:
        return f"the question leaves out what follows {verb!r}"
    if pair.asked[0] == "how" and pair.asked[1:2] == [pair.auxiliary]:
        numbers = {w.text.lower() for w in terms(pair.support.sentence) if w.kind is Kind.NUMBER}
        if after & (DETERMINERS | numbers):
            return f"the question leaves out what follows {verb!r}"
    return None


def _other_verb(pair: _Pair) -> str | None:
    """ "What is the kitchen", "What does the kitchen do" where it only is fine."""
    if not pair.tail:
        return None
    subject = pair.tail[-2] if pair.tail[-1] in ("do", "mean") and pair.tail[1:] else pair.tail[-1]
    after = [two for one, two in pairwise(pair.source) if one == subject]
    idle = not after or (_BE | {"and", "or"}) & set(after)
    if pair.tail[-1] == "do" and pair.auxiliary in ("does", "do", "did") and idle:
        return "the question asks what it does, the answer does not say"
    defines = _defines(pair, subject)
    if pair.tail[-1] == "mean" and not (
        {"means", "mean", "refers", "stands"} & set(after) or defines
    ):
        return "the question asks for a meaning, the answer gives none"
    if pair.asked[:1] == ["what"] and pair.auxiliary in _BE:
        if not pair.tail[1:] and (pair.auxiliary, pair.tail[0]) in pairwise(pair.source):
            return "the question asks for whatever is so"
        done = {c for a, b, c in _threes(pair.source) if a == subject and b in _BE}
        if any(word.endswith("ed") or word in PARTICIPLES for word in done):
            return "the question asks what it is, the answer says what is done to it"
    if pair.asked[:1] == ["what"] and pair.auxiliary in _BE and _BE & set(after):
        known = {word.key for word in terms(pair.question)}
        fact = any(word.is_key_term and word.key not in known for word in terms(pair.answer))
        if pair.asked[2:3] != [subject] and not defines and not fact:
            return "the question asks what it is, the answer says something else"
    return None


def _defines(pair: _Pair, subject: str) -> bool:
    """Whether the sentence says of the subject that it is a thing of some kind."""
    following = {c for a, b, c in _threes(pair.source) if a == subject and b in _BE}
    return bool(following & {"a", "an", "the", "one", "any"})


def _wrong_number(pair: _Pair) -> str | None:
    """ "What is the trays"."""
    other = {"is": "are", "are": "is", "was": "were", "were": "was"}.get(pair.auxiliary)
    if other is None or not pair.tail:
        return None
    after = [two for one, two in pairwise(pair.source) if one == pair.tail[-1]]
    if other in after and pair.auxiliary not in after:
        return f"the question says {pair.auxiliary!r} where the passage says {other!r}"
    return None


def _no_condition(pair: _Pair) -> str | None:
    condition = _IF.match(pair.question)
    if condition:
        first = _tokens(pair.question[condition.end() :])[:1]
        made = {two for one, two in pairwise(pair.source) if one in CONDITIONS}
        if not made & set(first):
            return "the question makes a condition the passage does not make"
    if _HAPPENED.match(pair.question) and not _YEAR.search(pair.support.sentence):
        return "the question asks what happened, the passage does not tell"
    return None


def _unresolved(pair: _Pair) -> str | None:
    """An answer about "it" whose question does not name it either."""
    if pair.said[:1] != pair.source[:1] or pair.said[0] not in ANAPHORS - {"that", "such", "one"}:
        return None
    asked = {word.key for word in content(terms(pair.question)) if word.key not in ASKING}
    if asked <= {word.key for word in terms(pair.support.sentence)}:
        return f"the answer does not say what {pair.said[0]!r} is"
    return None


def _strange_words(pair: _Pair) -> str | None:
    """A word that question and answer share and their source lacks; too many new ones in one."""
    source = {word.key for word in terms(f"{pair.support.context} {pair.support.sentence}")}
    source |= pair.support.topics
    asked = {w.key: w.text for w in content(terms(pair.question)) if w.key not in ASKING}
    for word in content(terms(pair.answer)):
        if word.key in asked and word.key not in source:
            return f"the sentence does not speak of {word.text!r}"
    new = [text for key, text in asked.items() if key not in source]
    if len(new) > (0 if pair.auxiliary in _BE else 1):
        return f"the question speaks of {new[0]!r}, the sentence does not"
    return None


def _wrong_kind(pair: _Pair) -> str | None:
    """A question for a number, a name, a person or a way, answered with something else."""
    asked = {word.key for word in terms(pair.question)}
    said = terms(pair.answer)
    new = [word for word in said if word.key not in asked]
    if _HOW_MANY.search(pair.question) and not any(_is_amount(word) for word in new):
        return "the question asks for a number, the answer has none"
    named = any(word.kind is Kind.NAME for word in new) or _names_first(pair.said, pair.answer)
    if _NAME_OF.search(pair.question) and not named:
        return "the question asks for a name, the answer has none"
    if _WHO.match(pair.question) and not any(w.kind is Kind.NAME or w.key in PEOPLE for w in said):
        return "the question asks who, the answer names nobody"
    if _DEFINED.match(pair.question) and not re.search(
        r"\b(?:is|are) (?:an?|the)\b", pair.support.sentence
    ):
        return "the question asks for a definition, the answer gives none"
    return _no_way(pair)


def _names_first(said: list[str], answer: str) -> bool:
    """ "Pepper is the single": one capitalised word, and what bears it as a name."""
    bare = said[:1] and said[0] not in DETERMINERS | ANAPHORS
    return bool(bare and answer[0].isupper() and said[1:3] in (["is", "the"], ["was", "the"]))


def _no_way(pair: _Pair) -> str | None:
    if not _HOW_TO.match(pair.question) and not _WHAT_TO.match(pair.question):
        return None
    if _FORBIDS & set(pair.source[:2]):
        return "the question asks how, the answer forbids"
    tells = _is_command(pair.source[:2]) or {"you", "to", "by", "with"} & set(pair.source)
    if _HOW_TO.match(pair.question) and not tells:
        return "the question asks how, the answer does not say"
    return None


def _gives_away(pair: _Pair) -> str | None:
    own = {word.key for word in content(terms(pair.support.sentence))}
    asked = {word.key for word in content(terms(pair.question))}
    if len(own) > 2 and len(own & asked) > _SAYS_ALL * len(own):
        return "the question already says what the sentence says"
    return None


def _new_verb(pair: _Pair) -> str | None:
    """ "The cabinet is one above the other": a small verb that nobody said."""
    known = {*pair.source, *_tokens(pair.support.context), *pair.asked}
    if _BE & set(pair.said) and not _BE & known:
        return "the answer says 'is' where the passage does not"
    modals = (_MODALS & set(pair.said)) - {*pair.source, *_tokens(pair.support.context)}
    return f"the passage does not say {min(modals)!r}" if modals else None


def _is_command(first: list[str]) -> bool:
    return (
        len(first) == 2 and first[1] in DETERMINERS and first[0] not in DETERMINERS | PREPOSITIONS
    )


def _is_amount(word: Term) -> bool:
    return word.kind is Kind.NUMBER or word.key in AMOUNTS


def _within(part: tuple[str, ...], whole: list[str]) -> bool:
    """Whether at least three words stand in another text side by side."""
    starts = range(len(whole) - len(part) + 1)
    return len(part) > 2 and any(tuple(whole[at : at + len(part)]) == part for at in starts)


def _threes(found: list[str]) -> list[tuple[str, str, str]]:
    return list(zip(found, found[1:], found[2:], strict=False))


def _tokens(text: str) -> list[str]:
    return [word.text.lower() for word in terms(text)]


_RULES: Final[tuple[Rule, ...]] = (
    _glued,
    _pasted_command,
    _statement_inside,
    _unanswered_verb,
    _other_verb,
    _wrong_number,
    _no_condition,
    _unresolved,
    _strange_words,
    _wrong_kind,
    _gives_away,
    _new_verb,
)
