"""Whether a question can be asked and an answer stand by themselves, judged by their form.

Each rule takes a pair with the sentence that supports it and says what is wrong. They are strict: a
good pair lost costs little, a broken one that is trained costs more. English only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from dlm.loops.synth.grounding import Support
from dlm.loops.synth.lexicon import AMOUNTS, ANAPHORS, ASKING, PEOPLE
from dlm.loops.synth.words import Kind, Word, content, words

_WH: Final = r"what|when|where|which|who|whom|whose|why|how"
_BE: Final = r"is|are|was|were"
_DO: Final = r"does|did|do"
_MODAL: Final = r"can|could|must|should|may|might|will|would|shall"
_OPENING: Final = re.compile(
    rf"(?:(?:{_BE}|{_DO}|{_MODAL}|has|have|had|{_WH})\b|[^?]*\b(?:{_WH})\b)", re.IGNORECASE
)
_SELF: Final = re.compile(
    r"\b(?:according to|(?:the|this|that|above|given|following) (?:passage|text|paragraph|excerpt|"
    r"document|article|section|context|sentence|author|writer|statement)\b(?! files?\b)|"
    r"mentioned|described (?:here|above|below)|as stated)",
    re.IGNORECASE,
)
_VAGUE: Final = re.compile(
    r"what (?:is|are|was|were) true\b|what (?:should|do|can|must) (?:you|i|we|one) know\b|"
    r"what kind of thing\b|what (?:can|do) (?:you|we) say\b|what (?:is|are) (?:the )?times? below|"
    r"what (?:does|do) the terms?\b|what happened\?|how would you describe\b|"
    r"what must [^?]{1,40} do\?|how must\b",
    re.IGNORECASE,
)
_ORPHAN: Final = re.compile(
    r"\b(?:the )?(?:first|last|second|third|other|next|same|former|latter) ones?\b", re.IGNORECASE
)
_POINTS: Final = re.compile(
    r"\b(?:times?|table|list|examples?|figure|steps?|values?|code) (?:below|above)\b", re.IGNORECASE
)
_STUMPS: Final = frozenset("a an the and or that which is are was were be very".split(" "))
_DETERMINERS: Final = frozenset(
    "the a an it them your his her its their any not this that".split(" ")
)
_SUBJECTS: Final = frozenset("to i you we they he she who people must should can may".split(" "))
_HOW_MANY: Final = re.compile(r"\bhow (?:many|much|long|old|far|often|tall|high|heavy)\b", re.I)
_NAME_OF: Final = re.compile(r"\bnames? of\b|\bcalled\?|\bknown as\?", re.I)
_WHO: Final = re.compile(r"who\b|whose\b", re.I)
_HOW_TO: Final = re.compile(r"(?:how|what) (?:do|can|should|would) (?:you|i|we|one)\b", re.I)
_AFTER_COMMAND: Final = [[word] for word in sorted(_DETERMINERS)]
_IF: Final = re.compile(
    r"what (?:happens|happened|will happen|should \w+ do) (?:if|when|whenever)\b", re.I
)
_CONDITION: Final = re.compile(r"\b(?:if|when|whenever|once|unless|before|after|in case)\b", re.I)
_ENDED: Final = re.compile(r"[.!?…)\]\"'`”’]\Z")

Rule = Callable[[str, str, Support], str | None]


def malformed(question: str, answer: str, support: Support) -> str | None:
    """What is wrong with the form of a pair, or None."""
    for rule in (*_ALONE, *_WITH_SOURCE):
        reason = rule(question, answer, support)
        if reason:
            return reason
    return None


def unreadable(question: str, answer: str) -> str | None:
    """What is wrong with a pair whose source is not known, as with `expansion`; or None."""
    nothing = Support("", "", 0.0)
    for rule in _ALONE:
        reason = rule(question, answer, nothing)
        if reason:
            return reason
    return None


def _not_a_question(question: str, answer: str, support: Support) -> str | None:
    count = len(question.split())
    if not question.endswith("?"):
        return "the question does not end with '?'"
    if not 3 <= count <= 45 or question.count("?") > 2:
        return "the question is too short or too long"
    if not (question[0].isupper() or question[0] in '`"“') or not _OPENING.match(question):
        return "the question does not open like one"
    if ";" in question or ": " in question or _tokens(question)[-1:] in [[w] for w in _STUMPS]:
        return "the question runs on or breaks off"
    return None


def _about_the_passage(question: str, answer: str, support: Support) -> str | None:
    if _SELF.search(question) or _SELF.search(answer):
        return "it speaks of the passage instead of its subject"
    if _POINTS.search(answer) or _POINTS.search(question):
        return "it points to something beside it"
    return "the question asks nothing in particular" if _VAGUE.match(question) else None


def _dangling(question: str, answer: str, support: Support) -> str | None:
    """A pronoun with nothing before it that it could stand for."""
    if _ORPHAN.search(question):
        return "the question points to something it does not name"
    named = False
    for word in words(question):
        if word.key in ANAPHORS - {"that", "such", "one"} and not named:
            return f"the question does not say what {word.text!r} is"
        named = named or (word in content([word]) and word.key not in ASKING)
    return None


def _repeats(question: str, answer: str, support: Support) -> str | None:
    for text in (question, answer):
        found = [word.key for word in words(text)]
        threes = list(zip(found, found[1:], found[2:], strict=False))
        if len(threes) - len(set(threes)) > 1 or any(
            one == two for one, two in zip(found, found[1:], strict=False)
        ):
            return "it repeats itself"
    return None


def _cut_answer(question: str, answer: str, support: Support) -> str | None:
    if not (answer[0].isupper() or answer[0].isdigit() or answer[0] in "`\"“'(-*"):
        return "the answer starts in the middle"
    if len(answer.split()) > 6 and not _ENDED.search(answer.rstrip()):
        return "the answer is cut off"
    if _tokens(answer)[-1:] in [[word] for word in _STUMPS]:
        return "the answer breaks off"
    return "the answer is a question" if answer.rstrip().endswith("?") else None


def _glued(question: str, answer: str, support: Support) -> str | None:
    """Words run together, as in "What doesOpen"."""
    source = f"{support.context} {support.sentence}"
    for match in re.finditer(r"\b[a-z]+[A-Z]\w*", f"{question} {answer}"):
        if match[0] not in source:
            return f"{match[0]!r} is not a word of the passage"
    return None


def _pasted_command(question: str, answer: str, support: Support) -> str | None:
    """ "What does Wipe the plate": an imperative where a subject is due."""
    first = _tokens(support.sentence)[:2]
    if len(first) < 2 or first[1] not in _DETERMINERS or first[0] in _DETERMINERS:
        return None
    asked = _tokens(question)
    for number in range(1, len(asked) - 1):
        if asked[number : number + 2] == first and asked[number - 1] not in _SUBJECTS:
            return "the question pastes a command of the passage"
    return None


def _not_inverted(question: str, answer: str, support: Support) -> str | None:
    """ "What does the drawer holds": a statement behind an auxiliary, its verb unchanged."""
    match = re.match(rf"(?:{_WH})(?: \w+)? ({_DO}|{_MODAL}) (.*)\?", question, re.IGNORECASE)
    if not match:
        return None
    auxiliary, tail = match[1].lower(), _tokens(match[2])
    source = _tokens(support.sentence)
    if auxiliary == "do" or not tail:
        return None
    if _within(tail, source):
        return "the question has a statement in it"
    # A verb in its base form is a word that the sentence does not have.
    verbs = [word for word in tail if word not in source and not word.endswith("ing")]
    if auxiliary not in source and not verbs:
        return "the question has a statement in it"
    return None


def _wrong_copula(question: str, answer: str, support: Support) -> str | None:
    """ "What is the trays", "What is a slow fan draw"."""
    match = re.match(rf"(?:{_WH})(?: \w+)? ({_BE}) (.*)\?", question, re.IGNORECASE)
    if not match:
        return None
    be, tail, source = match[1].lower(), _tokens(match[2]), _tokens(support.sentence)
    if not tail:
        return None
    other = {"is": "are", "are": "is", "was": "were", "were": "was"}[be]
    subject_be = [b for a, b in zip(source, source[1:], strict=False) if a == tail[-1]]
    if other in subject_be and be not in subject_be:
        return f"the question says {be!r} where the passage says {other!r}"
    if not {"is", "are", "was", "were"} & set(source) and len(content(words(match[2]))) > 2:
        if set(tail) <= set(source):
            return "the question has a statement in it"
    for word in tail:
        if word not in source and f"{word}s" in source and "to" not in tail:
            return "the question has a statement in it"
    return None


def _no_condition(question: str, answer: str, support: Support) -> str | None:
    if _IF.match(question) and not _CONDITION.search(support.sentence):
        return "the question makes a condition the passage does not make"
    return None


def _unresolved(question: str, answer: str, support: Support) -> str | None:
    """An answer about "it" whose question does not name it either."""
    first = _tokens(answer)[:1]
    if not first or first[0] not in ANAPHORS - {"that", "such", "one", "his", "her"}:
        return None
    asked = {word.key for word in content(words(question)) if word.key not in ASKING}
    own = {word.key for word in words(support.sentence)}
    if first == _tokens(support.sentence)[:1] and asked <= own:
        return f"the answer does not say what {first[0]!r} is"
    return None


def _gives_away(question: str, answer: str, support: Support) -> str | None:
    own = {word.key for word in content(words(support.sentence))}
    asked = {word.key for word in content(words(question))}
    if len(own) > 2 and len(own & asked) > 0.8 * len(own):
        return "the question already says what the sentence says"
    return None


def _strange_words(question: str, answer: str, support: Support) -> str | None:
    """A word that question and answer share and their source does not have."""
    source = {word.key for word in words(f"{support.context} {support.sentence}")}
    asked = {word.key: word.text for word in content(words(question)) if word.key not in ASKING}
    for word in content(words(answer)):
        if word.key in asked and word.key not in source and word.key not in support.topics:
            return f"the sentence does not speak of {word.text!r}"
    return None


def _wrong_kind(question: str, answer: str, support: Support) -> str | None:
    """A question for a number, a name or a way, answered with something else."""
    said, asked = words(answer), {word.key for word in words(question)}
    new = [word for word in said if word.key not in asked]
    if _HOW_MANY.search(question) and not any(_is_amount(word) for word in new):
        return "the question asks for a number, the answer has none"
    if _NAME_OF.search(question) and not any(word.kind is Kind.NAME for word in new):
        return "the question asks for a name, the answer has none"
    if _WHO.match(question) and not any(w.kind is Kind.NAME or w.key in PEOPLE for w in said):
        return "the question asks who, the answer names nobody"
    source = _tokens(support.sentence)
    if _HOW_TO.match(question):
        if _tokens(question)[:1] == ["what"] or source[:2] in [["do", "not"], ["never", "put"]]:
            return None if "not" not in source[:3] else "the question asks how, the answer forbids"
        if not {"you", "to", "by", "with"} & set(source) and source[1:2] not in _AFTER_COMMAND:
            return "the question asks how, the answer does not say"
    return None


def _is_amount(word: Word) -> bool:
    return word.kind is Kind.NUMBER or word.key in AMOUNTS


def _new_verb(question: str, answer: str, support: Support) -> str | None:
    """ "The cabinet is one above the other": a verb of being that the sentence does not have."""
    be = {"is", "are", "was", "were", "be", "been"}
    if be & set(_tokens(answer)) and not be & {
        *_tokens(support.sentence),
        *_tokens(support.context),
        *_tokens(question),
    }:
        return "the answer says 'is' where the passage does not"
    return None


def _within(part: list[str], whole: list[str]) -> bool:
    """Whether at least three words stand in another text side by side."""
    starts = range(len(whole) - len(part) + 1)
    return len(part) > 2 and any(whole[at : at + len(part)] == part for at in starts)


def _tokens(text: str) -> list[str]:
    return [word.text.lower() for word in words(text)]


_ALONE: Final[tuple[Rule, ...]] = (
    _not_a_question,
    _about_the_passage,
    _dangling,
    _repeats,
    _cut_answer,
)
_WITH_SOURCE: Final[tuple[Rule, ...]] = (
    _glued,
    _pasted_command,
    _not_inverted,
    _wrong_copula,
    _no_condition,
    _unresolved,
    _strange_words,
    _wrong_kind,
    _gives_away,
    _new_verb,
)
