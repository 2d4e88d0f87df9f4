"""Which lessons are the same before and after an edit, told by their words.

Two lessons are the same when their words are. One that stands where another stood and resembles it,
or that asks the same question elsewhere, supersedes it. Whatever else is gone was removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from dlm.data.lessons import Lesson
from dlm.text.words import content_words, dice

_LIKE_QUESTION = 0.7  # in the same place
_LIKE_WHOLE = 0.6  # question and answer together, or a paragraph


class Superseded(NamedTuple):
    """An old item, the one that took its place, and why that was concluded."""

    old: Lesson
    new: Lesson
    why: str


class Changes(NamedTuple):
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
