"""Which lessons are the same, told by their words: before and after an edit, and beside an exam.

Two lessons are the same when their words are. One that stands where another stood and resembles it,
or that asks the same question elsewhere, supersedes it. Whatever else is gone was removed.

A sealed exam stays sealed: what trains and nearly repeats a question that is only asked is found.
Near is what `dlm.text.near` says. Of prose, every sentence that is a question counts, with the
sentence after it as its answer. The same fact in really other words is what an exam is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from dlm.data.lessons import Lesson
from dlm.errors import TrainingError
from dlm.text.near import Asked, asked
from dlm.text.near_index import NearIndex
from dlm.text.sentences import pieces
from dlm.text.words import content_words, dice
from dlm.working import Tell, told, untold

_LIKE_QUESTION = 0.7  # in the same place
_LIKE_WHOLE = 0.6  # question and answer together, or a paragraph
_FEWEST_WORDS = 4  # of a sentence in prose that can repeat a question


@dataclass(frozen=True, slots=True)
class Superseded:
    """An old item, the one that took its place, and why that was concluded."""

    old: Lesson
    new: Lesson
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    """`new` includes those that supersede; all four keep document order."""

    new: tuple[Lesson, ...]
    unchanged: tuple[Lesson, ...]
    superseded: tuple[Superseded, ...]
    removed: tuple[Lesson, ...]


def align(known: Sequence[Lesson], here: Sequence[Lesson]) -> Changes:
    """Compare the items that were trained, in their old order, with those of the document."""
    here = _distinct(here)
    known_ids = {item.id for item in known}
    here_ids = {item.id for item in here}
    new = [item for item in here if item.id not in known_ids]
    gone = [item for item in known if item.id not in here_ids]
    superseded = _in_place(known, here, gone, new)
    superseded += _elsewhere(
        [item for item in gone if item not in {pair.old for pair in superseded}],
        [item for item in new if item not in {pair.new for pair in superseded}],
    )
    replaced = {pair.old for pair in superseded}
    return Changes(
        new=tuple(new),
        unchanged=tuple(item for item in here if item.id in known_ids),
        superseded=tuple(superseded),
        removed=tuple(item for item in gone if item not in replaced),
    )


def resemblance(old: Lesson, new: Lesson) -> float:
    """0..1 by shared content words of what fits better: the question, or question and answer.

    0 where the two are too unlike for one to be an edit of the other.
    """
    if old.kind is not new.kind:
        return 0.0
    whole = dice(content_words(old.text), content_words(new.text))
    if not old.question:
        return whole if whole >= _LIKE_WHOLE else 0.0
    question = dice(content_words(old.question), content_words(new.question))
    whole = (question + whole) / 2
    like = question >= _LIKE_QUESTION or whole >= _LIKE_WHOLE
    return max(question, whole) if like else 0.0


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


def _in_place(
    known: Sequence[Lesson], here: Sequence[Lesson], gone: Sequence[Lesson], new: Sequence[Lesson]
) -> list[Superseded]:
    """Match what vanished with what appeared between the same unchanged neighbours."""
    vanished, appeared = set(gone), set(new)
    matcher = SequenceMatcher(
        None, [item.id for item in known], [item.id for item in here], autojunk=False
    )
    found: list[Superseded] = []
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag != "replace":
            continue
        olds = [item for item in known[old_start:old_end] if item in vanished]
        news = [item for item in here[new_start:new_end] if item in appeared]
        found += _best_matches(olds, news)
    return found


def _best_matches(olds: Sequence[Lesson], news: Sequence[Lesson]) -> list[Superseded]:
    """Pair off the most alike first; among equals, those at the same height."""
    ranked = sorted(
        (-resemblance(old, new), abs(i * len(news) - j * len(olds)), i, j)
        for i, old in enumerate(olds)
        for j, new in enumerate(news)
    )
    found: dict[int, Superseded] = {}
    taken: set[int] = set()
    for unlike, _, i, j in ranked:
        if unlike < 0 and i not in found and j not in taken:
            taken.add(j)
            found[i] = Superseded(olds[i], news[j], f"in the same place, {-unlike:.0%} alike")
    return [found[i] for i in sorted(found)]


def _elsewhere(gone: Sequence[Lesson], new: Sequence[Lesson]) -> list[Superseded]:
    """A question that is asked again in another place, with another answer."""
    asked = {" ".join(item.question.lower().split()): item for item in new if item.question}
    found: list[Superseded] = []
    for old in gone:
        again = asked.pop(" ".join(old.question.lower().split()), None)
        if again is not None:
            found.append(Superseded(old, again, "asks the same in another place"))
    return found


def _distinct(here: Sequence[Lesson]) -> list[Lesson]:
    first: dict[str, Lesson] = {}
    for item in here:
        first.setdefault(item.id, item)
    return list(first.values())


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
