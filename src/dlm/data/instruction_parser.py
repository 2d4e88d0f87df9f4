"""The pairs in the content of an instruction section, for tools that hold only that text."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.doc.bodies import PAIR_WORDS, PairRole, content_headers, read_pairs
from dlm.doc.spans import Source


@dataclass(frozen=True, slots=True)
class InstructionPair:
    """A question and its answer; `line` is that of `### Q`, counted from 1 in the content."""

    question: str
    answer: str
    role: PairRole
    line: int


def parse_instruction_body(content: str, *, section_id: str = "") -> list[InstructionPair]:
    """The pairs of every role; DocumentError, placed within the content, when one is not whole."""
    source = Source(f"\n{content}", f"section {section_id}" if section_id else None, first_line=0)
    headers = content_headers(source, PAIR_WORDS)
    return [
        InstructionPair(pair.question, pair.answer, pair.role, pair.line)
        for pair in read_pairs(source, headers, len(source.text))
    ]
