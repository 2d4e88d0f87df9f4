"""Sections: typed views into the text of a document.

A section copies nothing until it is asked for. How a body is cut up is known to `scanner` and
`bodies`; how a marker is spelled, to `provenance`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dlm.doc.bodies import Pair, PairRole, Triple, meant, read_pairs, read_triples
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.spans import Source, Span

__all__ = ["NO_ATTRIBUTES", "Pair", "PairRole", "Section", "SectionType", "Triple"]

NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})


class SectionType(StrEnum):
    """What a section teaches: text, answers, preferences, or a file beside the document."""

    PROSE = "prose"
    INSTRUCTION = "instruction"
    PREFERENCE = "preference"
    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class Section:
    """One typed block of a document.

    It stands at `start` with its fence, its content lies between two offsets, its closer ends at
    `block_end`, and the blank lines up to `end` belong to it too, so that sections tile the text.
    `headers` are the offsets of its `###` lines.
    """

    type: SectionType
    start: int
    content_start: int
    content_end: int
    block_end: int
    end: int
    source: Source = field(repr=False, compare=False)
    headers: tuple[int, ...] = ()
    name: str | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: NO_ATTRIBUTES, hash=False)
    provenance: Provenance | None = None
    _pairs: tuple[Pair, ...] | None = field(default=None, init=False, repr=False, compare=False)
    _id: str | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def span(self) -> Span:
        """From the fence to the next section."""
        return Span(self.start, self.end)

    @property
    def block_span(self) -> Span:
        """From the fence through the closer, without the blank lines after it."""
        return Span(self.start, self.block_end)

    @property
    def content_span(self) -> Span:
        """What stands between the fence, with its provenance marker, and the closer."""
        return Span(self.content_start, self.content_end)

    @property
    def content(self) -> str:
        """The text of the section exactly as it stands in the file."""
        return self.source.text[self.content_start : self.content_end]

    @property
    def text(self) -> str:
        """The content as its writer meant it: see `bodies.meant`; prose without its comments."""
        content = self.content
        if self.type is SectionType.PROSE and "<!--" in content:
            from dlm.doc.notes import without_html_comments

            content = without_html_comments(content.replace("\r\n", "\n"))
        return meant(content)

    @property
    def tag(self) -> str | None:
        """The name in `::instruction#name::`."""
        return self.name

    @property
    def line(self) -> int:
        """The line of the fence; of prose without one, the first line that is not blank."""
        start = self.start
        if self.content_start == start:
            content = self.content
            start += len(content) - len(content.lstrip())
        return self.source.line(start)

    @property
    def section_id(self) -> str:
        """16 hex digits made of type and content: the same wherever the section stands."""
        if self._id is None:
            object.__setattr__(self, "_id", _identity(self))
        assert self._id is not None
        return self._id

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of an instruction section, of every role; none of any other."""
        if self.type is not SectionType.INSTRUCTION:
            return ()
        if self._pairs is None:
            pairs = read_pairs(self.source, self.headers, self.content_end)
            object.__setattr__(self, "_pairs", tuple(pairs))
        assert self._pairs is not None
        return self._pairs

    @property
    def triples(self) -> tuple[Triple, ...]:
        """The triples of a preference section; none of any other."""
        if self.type is not SectionType.PREFERENCE:
            return ()
        return tuple(read_triples(self.source, self.headers, self.content_end))

    # The names below are those that editors and evaluation tools ask for.

    @property
    def auto_synth(self) -> bool:
        return self._from(Origin.SYNTHESIZED) is not None

    @property
    def auto_harvest(self) -> bool:
        return self._from(Origin.HARVESTED, Origin.PUSHED) is not None

    @property
    def auto_mined(self) -> bool:
        return self._from(Origin.MINED) is not None

    @property
    def harvest_source(self) -> str | None:
        origin = self._from(Origin.HARVESTED, Origin.PUSHED)
        return origin.derived_from if origin else None

    @property
    def synth_teacher(self) -> str | None:
        origin = self._from(Origin.SYNTHESIZED)
        return origin.by if origin else None

    @property
    def synth_strategy(self) -> str | None:
        origin = self._from(Origin.SYNTHESIZED)
        return origin.extra.get("synth_strategy") if origin else None

    @property
    def synth_at(self) -> datetime | None:
        origin = self._from(Origin.SYNTHESIZED)
        return origin.at if origin else None

    @property
    def source_section_id(self) -> str | None:
        origin = self._from(Origin.SYNTHESIZED)
        return origin.derived_from if origin else None

    @property
    def judge_name(self) -> str | None:
        origin = self._from(Origin.MINED)
        return origin.by if origin else None

    @property
    def judge_score_chosen(self) -> float | None:
        origin = self._from(Origin.MINED)
        return origin.scores.get("chosen") if origin else None

    @property
    def judge_score_rejected(self) -> float | None:
        origin = self._from(Origin.MINED)
        return origin.scores.get("rejected") if origin else None

    @property
    def mined_at(self) -> datetime | None:
        origin = self._from(Origin.MINED)
        return origin.at if origin else None

    @property
    def mined_run_id(self) -> str | None:
        origin = self._from(Origin.MINED)
        return origin.run if origin else None

    def _from(self, *origins: Origin) -> Provenance | None:
        provenance = self.provenance
        return provenance if provenance and provenance.origin in origins else None


def _identity(section: Section) -> str:
    lines = [line.rstrip(" \t\r") for line in section.content.split("\n")]
    content = "\n".join(lines).strip("\n")
    # What an image or audio section is about stands in its fence.
    attributes = "".join(f"{key}={section.attributes[key]}\n" for key in sorted(section.attributes))
    named = f"{section.type.value}\n{attributes}{content}"
    return hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()[:16]
