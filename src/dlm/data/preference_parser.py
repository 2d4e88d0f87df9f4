"""The triples in the content of a preference section, for tools that hold only that text."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.doc.bodies import TRIPLE_WORDS, content_headers, read_triples
from dlm.doc.spans import Source


@dataclass(frozen=True, slots=True)
class PreferenceTriple:
    """A prompt, a better and a worse answer; `line` is that of `### Prompt` in the content."""

    prompt: str
    chosen: str
    rejected: str
    line: int


def parse_preference_body(content: str, *, section_id: str = "") -> list[PreferenceTriple]:
    """The triples; DocumentError, placed within the content, when one is not whole."""
    source = Source(f"\n{content}", f"section {section_id}" if section_id else None, first_line=0)
    headers = content_headers(source, TRIPLE_WORDS)
    return [
        PreferenceTriple(triple.prompt, triple.chosen, triple.rejected, triple.line)
        for triple in read_triples(source, headers, len(source.text))
    ]
