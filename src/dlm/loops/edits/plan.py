"""What a machine wants to change in a document, as a value that can be kept and shown.

Knows neither the document it was planned for nor any file.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import render_section
from dlm.doc.scanner import scan_body
from dlm.doc.sections import Section, SectionType
from dlm.doc.spans import Source
from dlm.errors import DocumentError, EditConflict

Place = Literal["after", "end"]
"""Where additions go: directly after the section each is derived from, or all at the end."""

_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})
_CANNOT_STAND: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Addition:
    """One new section: the whole block as `render_section` gives it, marker included.

    It goes directly after the section `after`, at the end without one. Make it with `of`.
    """

    id: str
    section: str
    after: str | None = None
    summary: str = ""

    @classmethod
    def of(
        cls,
        type: SectionType,
        body: str,
        provenance: Provenance,
        *,
        name: str | None = None,
        after: str | None = None,
        summary: str = "",
    ) -> Self:
        """The addition of a body that `render_pair` or `render_triple` gave, or escaped prose.

        Raises DocumentError for a body that cannot stand inside one section.
        """
        section = render_section(type, body, provenance, name=name)
        return cls(short_id(section), section, after, summary)

    def block(self) -> Section:
        """The section this is, read; EditConflict when it is anything but one closed section."""
        text = self.section
        if "\r" in text or _CANNOT_STAND.search(text):
            raise EditConflict("it holds a character that a section cannot hold")
        try:
            scan = scan_body(Source(f"\n{text}"), 1)
        except DocumentError as error:
            raise EditConflict(error.message, hint=error.hint) from error
        block = scan.sections[0] if len(scan.sections) == 1 else None
        whole = (1, len(text) + 1)
        if block is None or (block.start, block.block_end) != whole or not is_closed(block):
            raise EditConflict("it is not one closed section")
        if block.provenance is None:
            raise EditConflict("it does not say where it comes from")
        return block


@dataclass(frozen=True, slots=True)
class Removal:
    """One section to take out: the `occurrence`-th, from 0, of those with this id."""

    section_id: str
    occurrence: int = 0
    summary: str = ""

    @property
    def id(self) -> str:
        """A short name, as that of an addition."""
        return self.section_id[:8] + (f".{self.occurrence}" if self.occurrence else "")


@dataclass(frozen=True, slots=True)
class EditPlan:
    """The changes one run of one loop wants to make.

    `origin` is that of its additions, though a round of improvement brings mined ones, too. `by` is
    the teacher, judge or tool, `document_sha256` the text that was planned on, and `note` holds
    more facts about the run, in JSON types.
    """

    run: str
    origin: Origin
    by: str
    created_at: datetime
    document_sha256: str
    additions: tuple[Addition, ...] = ()
    removals: tuple[Removal, ...] = ()
    note: Mapping[str, Any] = field(default_factory=lambda: _NO_FACTS, hash=False)

    def __len__(self) -> int:
        return len(self.additions) + len(self.removals)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all its changes."""
        return tuple([item.id for item in self.additions] + [item.id for item in self.removals])

    def only(self, ids: Collection[str]) -> EditPlan:
        """The plan with those of its changes that are named."""
        return replace(
            self,
            additions=tuple(item for item in self.additions if item.id in ids),
            removals=tuple(item for item in self.removals if item.id in ids),
        )

    def without(self, ids: Collection[str]) -> EditPlan:
        """The plan without those of its changes that are named."""
        return self.only([name for name in self.ids if name not in ids])


def short_id(section: str) -> str:
    """The name of an addition on the command line: 8 hex digits of the SHA-256 of its text."""
    return hashlib.sha256(section.encode(errors="surrogatepass")).hexdigest()[:8]


def new_run_id(at: datetime | None = None) -> str:
    """A name for a run that sorts by time: `20260423-184211-9f3a`."""
    return f"{at or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def is_closed(section: Section) -> bool:
    """Whether a closing line of its own ends the section."""
    return section.block_end > section.content_end


def has_fence(section: Section) -> bool:
    """Whether an opening line begins the section; prose needs none."""
    return section.content_start > section.start
