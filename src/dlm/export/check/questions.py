"""What an export is asked, and what the version in the store answers to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dlm.data.lessons import Lesson, lessons_of
from dlm.doc.document import Document
from dlm.engine.answer import Sampling, open_answerer
from dlm.errors import DlmError
from dlm.export.source import Source

LONGEST: Final = 128
"""Tokens an answer may have."""
_MOST_PAIRS: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, where it stands, the prompt and the answer of the version in the store."""

    question: str
    line: int
    prompt: tuple[int, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is asked; `what` names it in words."""

    asked: tuple[Asked, ...]
    what: str


def ask_store(source: Source) -> Sheet:
    """Ask the version in the store, with the notes closed.

    The probes of the document are asked, or where it has none some of its pairs. Raises DlmError
    when it has neither.
    """
    lessons, what = _chosen(source.document)
    answerer = open_answerer(
        source.base,
        source.folder,
        source.adapter,
        system_prompt=source.document.frontmatter.system_prompt,
    )
    asked = []
    for lesson in lessons:
        messages = [{"role": "user", "content": lesson.question}]
        answer = answerer.answer(messages, Sampling(max_tokens=LONGEST))  # type: ignore[arg-type]
        prompt = source.codec.prompt_ids(messages)  # type: ignore[arg-type]
        asked.append(Asked(lesson.question, lesson.line, tuple(prompt), answer.text))
    return Sheet(tuple(asked), what)


def _chosen(document: Document) -> tuple[tuple[Lesson, ...], str]:
    lessons = lessons_of(document)
    if lessons.probes:
        return lessons.probes, "probe" if len(lessons.probes) == 1 else "probes"
    pairs = lessons.pairs[:_MOST_PAIRS]
    if not pairs:
        raise DlmError(
            f"{document.path} has no question that an export could be checked with",
            hint="mark a pair as a probe: ### Q !probe",
        )
    which = "the only pair" if len(pairs) == 1 else f"the first {len(pairs)} pairs"
    return pairs, f"trained pairs ({which}, as no question is marked !probe)"
