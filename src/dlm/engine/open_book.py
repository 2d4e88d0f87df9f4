"""Answers with the notes open: what the document says itself, or what a model reads out of it.

The passages that may answer are looked up first. A base that is large enough to read is shown them
(retrieval-augmented generation, Lewis et al. 2020); of a smaller one the notes are quoted, which
`benchmarks/open_book.py` finds right more often than what such a base writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dlm.doc.document import Document
from dlm.index import Found, Index, Quote
from dlm.index.passages import Passage
from dlm.index.search import cite

if TYPE_CHECKING:
    from dlm.data.chat import Message
    from dlm.engine.answer import Answerer, Sampling

READS_FROM: Final = 1_000_000_000
"""Parameters of the smallest base that is trusted to read passages."""

SYSTEM: Final = "Answer from the notes. If they do not say, say so."
DECLINED: Final = "The notes do not say."


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An answer, where it stands (None when declined, or when no line holds what was written),
    and the passages that were found, the likeliest first."""

    text: str
    declined: bool
    source: Quote | None
    passages: tuple[Found, ...]


def model_alone(
    document: Document,
    passages: Callable[[], Sequence[Passage]],
    *,
    closed: bool,
    temperature: float,
) -> bool:
    """Whether the model answers alone: asked for, sampled, a document of style or of none."""
    config = document.frontmatter.training
    if closed or temperature > 0 or not config.open_book:
        return True
    return not config.sources and not passages()


def quote_notes(index: Index, question: str) -> OpenAnswer:
    """The sentence, pair or code that fits the question best; declined when nothing fits it."""
    found = tuple(index.search(question))
    best = best_quote(index, question)
    if best is None:
        return OpenAnswer(DECLINED, True, None, found)
    return OpenAnswer(best.text, False, best, found)


def best_quote(index: Index, question: str) -> Quote | None:
    """The same alone; None where the notes do not say."""
    best = next(iter(index.quotes(question)), None)
    return None if best is None or index.fit(question, best) < 0 else best


def read_notes(
    index: Index,
    question: str,
    answerer: Answerer,
    sampling: Sampling,
    on_text: Callable[[str], None] | None = None,
) -> OpenAnswer:
    """What the model answers when it is shown the passages, and the line it most likely used."""
    found = tuple(index.search(question))
    asked = messages(question, [one.passage.text for one in found])
    return read_out(found, answerer.answer(asked, sampling, on_text).text)


def read_out(found: tuple[Found, ...], text: str) -> OpenAnswer:
    """What a model wrote that was shown the passages, and the line it most likely used."""
    if _declines(text):
        return OpenAnswer(text, True, None, found)
    passages = [one.passage for one in found]
    line = cite(text, passages)
    source = None
    if line is not None:
        holder = next(one for one in found if line in one.passage.sentences)
        source = Quote(line.text, line.line, holder.passage, holder.score)
    return OpenAnswer(text, False, source, found)


def messages(question: str, passages: Sequence[str]) -> list[Message]:
    """The conversation that shows the passages, the likeliest last, and asks."""
    notes = "\n\n".join(reversed(passages))
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Notes:\n\n{notes}\n\nQuestion: {question}"},
    ]


def _declines(text: str) -> bool:
    start = " ".join(text.lower().split())[:60]
    return start.startswith(DECLINED.lower().rstrip(".")) or "notes do not" in start
