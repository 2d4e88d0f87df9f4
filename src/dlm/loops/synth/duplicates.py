"""Whether a question was asked before: by the document, by its sealed exam, or by the batch.

Near is what `dlm.data.near` calls a repetition.
"""

from __future__ import annotations

from collections.abc import Iterable

from dlm.data.near import Asked, asked, repeats
from dlm.doc.document import Document
from dlm.doc.sections import PairRole
from dlm.loops.synth.words import words


class Questions:
    """Questions that were asked, and where."""

    def __init__(self) -> None:
        self._known: list[tuple[Asked, frozenset[str], str]] = []

    @classmethod
    def of_document(cls, document: Document) -> Questions:
        """Every question of the document."""
        known = cls()
        for _, pair in document.pairs():
            known.add(pair.question, pair.answer, f"line {pair.line}")
        return known

    @classmethod
    def of_exam(cls, document: Document) -> Questions:
        """The questions of its sealed exam."""
        known = cls()
        for _, pair in document.pairs():
            if pair.role is PairRole.EXAM:
                known.add(pair.question, pair.answer, f"the exam question of line {pair.line}")
        return known

    def add(self, question: str, answer: str, where: str) -> None:
        self._known.append((asked(question, answer), _terms(question), where))

    def repeated(self, question: str, answer: str, *, exact: bool = True) -> str | None:
        """Where a question stands that this one nearly repeats, or None.

        With `exact`, questions about another name or number ("code E4", "code E7") are others.
        """
        new, terms = asked(question, answer), _terms(question)
        for known, known_terms, where in self._known:
            other = exact and terms - known_terms and known_terms - terms
            if repeats(new, known) and not other:
                return where
        return None


def _terms(question: str) -> frozenset[str]:
    return frozenset(word.key.lower() for word in words(question) if word.is_key_term)


def normalised(question: str, answer: str) -> tuple[str, str]:
    """What two pairs share that differ in case, spacing and punctuation only."""
    prepared = asked(question, answer)
    return prepared.text, prepared.answer_text


def each_once(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """The different pairs in their order, with how often each occurs."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for question, answer in pairs:
        key = normalised(question, answer)
        first.setdefault(key, (question, answer))
        counts[key] = counts.get(key, 0) + 1
    return [(*first[key], count) for key, count in counts.items()]
