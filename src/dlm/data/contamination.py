"""A sealed exam stays sealed: what trains and nearly repeats a question only asked is found.

Near is what `dlm.text.near` says. Of prose, every sentence that is a question counts, with the
sentence after it as its answer. The same fact in really other words is what an exam is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlm.data.lessons import Lesson
from dlm.errors import TrainingError
from dlm.text.near import Asked, asked
from dlm.text.near_index import NearIndex
from dlm.text.sentences import pieces
from dlm.working import Tell, told, untold

_FEWEST_WORDS = 4  # of a sentence in prose that can repeat a question


@dataclass(frozen=True, slots=True)
class Finding:
    """A training row at `line` that nearly repeats the question at `sealed_line`.

    `file` is that of the row where it stands beside the document.
    """

    line: int
    question: str
    sealed_line: int
    sealed_question: str
    file: str = ""


class Sealed:
    """Questions that are only asked, made ready to be compared with much that trains."""

    def __init__(self, sealed: Iterable[Lesson]) -> None:
        self._sealed = NearIndex[Lesson]()
        for item in sealed:
            self._sealed.add(asked(item.question, item.text), item)

    def repeated_by(self, example: Lesson) -> Iterator[Finding]:
        """Every place of an example that trains which nearly repeats one of them."""
        for line, text, trained in _questions(example) if self._sealed else ():
            for item in self._sealed.repeated_by(trained):
                yield Finding(line, text, item.line, item.question, example.file)


def findings(
    train: Sequence[Lesson], sealed: Iterable[Lesson], tell: Tell = untold
) -> tuple[Finding, ...]:
    """Every place of `train` that nearly repeats a `sealed` question, in the order of `train`."""
    kept = Sealed(sealed)
    examples = told("comparing with the exam", train, tell)
    return tuple(dict.fromkeys(one for example in examples for one in kept.repeated_by(example)))


def refuse_contamination(
    train: Sequence[Lesson], exam: Sequence[Lesson], path: str, tell: Tell = untold
) -> None:
    """Raise TrainingError, naming both lines, when a training row is too near to the exam."""
    found = findings(train, exam, tell)
    if not found:
        return
    first, more = found[0], len(found) - 1
    also = f"; {more} more like it" if more else ""
    raise TrainingError(
        f"{first.file or path}:{first.line}: this nearly repeats the sealed exam question of line "
        f"{first.sealed_line}, so the exam would measure nothing{also}",
        hint="reword or remove one of them, or drop the !exam mark; "
        "`dlm exam verify` lists all that repeat",
    )


def _questions(example: Lesson) -> Iterator[tuple[int, str, Asked]]:
    """What an example asks, each with its line: of a pair, its question and the end of it."""
    if not example.question:
        yield from _asked_in_prose(example)
        return
    yield example.line, example.question, asked(example.question, example.text)
    *before, last = _sentences(example.question) or [(0, "")]
    if before and len(last[1].split()) >= _FEWEST_WORDS:
        yield example.line, example.question, asked(last[1], example.text)


def _asked_in_prose(example: Lesson) -> Iterator[tuple[int, str, Asked]]:
    sentences = _sentences(example.text) if "?" in example.text else []
    for number, (start, text) in enumerate(sentences):
        if text.endswith("?") and len(text.split()) >= _FEWEST_WORDS:
            answer = sentences[number + 1][1] if number + 1 < len(sentences) else ""
            yield example.line + example.text.count("\n", 0, start), text, asked(text, answer)


def _sentences(text: str) -> list[tuple[int, str]]:
    """The sentences and clauses with their offsets; a paragraph ends one too."""
    found = []
    for paragraph in re.finditer(r"(?:(?!\n[ \t]*\n).)+", text, re.S):
        start = paragraph.start()
        for piece in pieces(paragraph[0], clauses=True):
            if sentence := piece.strip():
                found.append((start + len(piece) - len(piece.lstrip()), sentence))
            start += len(piece)
    return found
