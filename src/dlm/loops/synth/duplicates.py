"""Whether a question was asked before: by the document, by its sealed exam, or by the batch.

Near is what `dlm.data.near` calls a repetition.
"""

from __future__ import annotations

from collections.abc import Iterable

from dlm.data.contamination import findings
from dlm.data.examples import AUTHORED, Example
from dlm.data.near import Asked, asked, repeats
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
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

    def add(self, question: str, answer: str, where: str) -> None:
        self._known.append((asked(question, answer), _terms(question), where))

    def repeated(self, question: str, answer: str) -> str | None:
        """Where a question stands that this one nearly repeats, or None.

        Questions about another name or number ("code E4", "code E7") are others.
        """
        new, terms = asked(question, answer), _terms(question)
        for known, known_terms, where in self._known:
            other = terms - known_terms and known_terms - terms
            if repeats(new, known) and not other:
                return where
        return None


class Exam:
    """The sealed questions of a document, compared as training compares them."""

    def __init__(self, document: Document) -> None:
        self._sealed = [
            Example(
                section.section_id, AUTHORED, pair.line, 1.0, pair.answer, pair.question, pair.role
            )
            for section, pair in document.pairs()
            if pair.role is PairRole.EXAM
        ]

    def repeated(self, question: str, answer: str) -> str | None:
        """Which exam question a pair nearly repeats, or None."""
        pair = Example("", Origin.SYNTHESIZED.value, 0, 1.0, answer, question, PairRole.TRAIN)
        found = findings([pair], self._sealed)
        return f"the exam question of line {found[0].sealed_line}" if found else None


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
