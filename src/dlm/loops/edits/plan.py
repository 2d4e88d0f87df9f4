"""What a machine wants to change in a document, as a value that can be kept and shown.

Knows neither the document it was planned for nor any file.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from dlm.doc.provenance import Origin, Provenance, format_marker, parse_marker
from dlm.doc.render import escape_body, normalise, render_pair, render_section, render_triple
from dlm.doc.scanner import scan_body
from dlm.doc.sections import PairRole, Section, SectionType
from dlm.doc.spans import Source

Place = Literal["after", "end"]
"""Where additions go: directly after the section each is derived from, or all at the end."""

_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NewPair:
    """A question and its answer that are to stand in a document."""

    question: str
    answer: str
    role: PairRole = PairRole.TRAIN


@dataclass(frozen=True, slots=True)
class NewTriple:
    """A prompt with a better and a worse answer that are to stand in a document."""

    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Addition:
    """One new section: an instruction section of pairs, a preference section of triples, or prose.

    It goes directly after the section `after`, at the end without one. Its `id` is its name on the
    command line, `section_id` the one it will have in the document. Raises DocumentError for text
    that cannot stand inside one section.
    """

    provenance: Provenance
    pairs: tuple[NewPair, ...] = ()
    triples: tuple[NewTriple, ...] = ()
    prose: str = ""
    name: str | None = None
    after: str | None = None
    id: str = field(init=False)
    section_id: str = field(init=False)

    def __post_init__(self) -> None:
        section = self.section()
        digest = hashlib.sha256(section.source.text.encode(errors="surrogatepass"))
        object.__setattr__(self, "id", digest.hexdigest()[:8])
        object.__setattr__(self, "section_id", section.section_id)

    @property
    def type(self) -> SectionType:
        if self.pairs:
            return SectionType.INSTRUCTION
        return SectionType.PREFERENCE if self.triples else SectionType.PROSE

    @property
    def summary(self) -> str:
        """One line that tells it from others: its first question, prompt, or line of text."""
        asked = [pair.question for pair in self.pairs] + [each.prompt for each in self.triples]
        return (asked[0] if asked else self.prose).strip().split("\n", 1)[0]

    def body(self) -> str:
        """The text between its marker and its closer, escaped."""
        pairs = [render_pair(each.question, each.answer, each.role) for each in self.pairs]
        triples = [render_triple(each.prompt, each.chosen, each.rejected) for each in self.triples]
        return "".join(pairs + triples) or escape_body(normalise(self.prose))

    def section(self) -> Section:
        """The closed section it becomes, alone in a text of its own and without its headers."""
        text = render_section(self.type, self.body(), self.provenance, name=self.name)
        start = text.index("\n", text.index("\n") + 1) + 1  # behind the fence and the marker
        end = len(text)
        return Section(
            self.type,
            start=0,
            content_start=start,
            content_end=end - len("::\n"),
            block_end=end,
            end=end,
            source=Source(text),
            name=self.name,
            provenance=self.provenance,
        )

    def with_body(self, body: str) -> Addition:
        """The addition with what a body holds that its owner edited; raises DocumentError."""
        text = render_section(self.type, body, self.provenance, name=self.name)
        (read,) = scan_body(Source(f"\n{text}"), 1).sections
        pairs = [NewPair(each.question, each.answer, each.role) for each in read.pairs]
        triples = [NewTriple(each.prompt, each.chosen, each.rejected) for each in read.triples]
        prose = "" if pairs or triples else read.text
        return replace(self, pairs=tuple(pairs), triples=tuple(triples), prose=prose)


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

    def renamed(self, run: str) -> EditPlan:
        """The plan as that of another run, its additions too."""
        additions = [
            replace(each, provenance=replace(each.provenance, run=run)) for each in self.additions
        ]
        return replace(self, run=run, additions=tuple(additions))


def new_run_id(at: datetime | None = None) -> str:
    """A name for a run that sorts by time: `20260423-184211-9f3a`."""
    return f"{at or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def plan_to_json(plan: EditPlan) -> dict[str, Any]:
    """Plain JSON."""
    return {
        "run": plan.run,
        "origin": plan.origin.value,
        "by": plan.by,
        "created_at": plan.created_at.isoformat(),
        "document_sha256": plan.document_sha256,
        "additions": [_addition_to_json(each) for each in plan.additions],
        "removals": [asdict(each) for each in plan.removals],
        "note": _plain(plan.note),
    }


def plan_from_json(data: Mapping[str, Any]) -> EditPlan:
    """The inverse of `plan_to_json`.

    Raises ValueError, TypeError, KeyError or DocumentError on anything else.
    """
    at = datetime.fromisoformat(_text(data["created_at"]))
    return EditPlan(
        run=_text(data["run"]),
        origin=Origin(data["origin"]),
        by=_text(data["by"]),
        created_at=at if at.tzinfo else at.replace(tzinfo=UTC),
        document_sha256=_text(data["document_sha256"]),
        additions=tuple(_addition_from_json(each) for each in data["additions"]),
        removals=tuple(
            Removal(_text(each["section_id"]), int(each["occurrence"]), _text(each["summary"]))
            for each in data["removals"]
        ),
        note=dict(data["note"]),
    )


def _addition_to_json(addition: Addition) -> dict[str, Any]:
    return {
        "marker": format_marker(addition.provenance),
        "pairs": [[each.question, each.answer, each.role.value] for each in addition.pairs],
        "triples": [[each.prompt, each.chosen, each.rejected] for each in addition.triples],
        "prose": addition.prose,
        "name": addition.name,
        "after": addition.after,
    }


def _addition_from_json(data: Mapping[str, Any]) -> Addition:
    return Addition(
        parse_marker(_text(data["marker"])),
        tuple(NewPair(_text(q), _text(a), PairRole(role)) for q, a, role in data["pairs"]),
        tuple(NewTriple(*map(_text, texts)) for texts in data["triples"]),
        _text(data["prose"]),
        None if data["name"] is None else _text(data["name"]),
        None if data["after"] is None else _text(data["after"]),
    )


def _plain(value: Any) -> Any:
    """JSON for any value: a plan must not be lost to a score that is not a number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
