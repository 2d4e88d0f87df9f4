"""The questions asked of a trained version: `!probe` pairs, and the sealed `!exam` ones."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.doc.document import Document
from dlm.doc.sections import PairRole


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt with its reference answer; `sealed` ones were never trained on."""

    prompt: str
    reference: str
    section_id: str
    line: int
    sealed: bool


def extract_probes(document: Document) -> tuple[Probe, ...]:
    """Every pair marked `!probe` or `!exam`, in document order."""
    return tuple(
        Probe(pair.question, pair.answer, section.section_id, pair.line, pair.role is PairRole.EXAM)
        for section, pair in document.pairs()
        if pair.role is not PairRole.TRAIN
    )
