"""What a report of an evaluation tool gives, as plain values. Knows no format and no document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_NO_SCORES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Recovered:
    """A question with its reference answer, from the failing probe `probe`.

    `how` says where the two came from, `confidence` (0..1) is the report's own, 1 where it states
    none. `own` marks a pair that the document asks already and that the report names as weak;
    `rewords` is the question that the prompt asks in other words, where that is known.
    """

    prompt: str
    reference: str
    probe: str
    how: str
    confidence: float = 1.0
    scores: Mapping[str, float] = field(default_factory=lambda: _NO_SCORES, hash=False)
    own: bool = False
    rewords: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A prompt of which the report holds the first 80 characters, and no reference.

    `part` is what it was cut from in a case of the suite: its prompt or one of its paraphrases.
    """

    prompt: str
    probe: str
    kind: str
    part: str
    scores: Mapping[str, float] = field(default_factory=lambda: _NO_SCORES, hash=False)


@dataclass(frozen=True, slots=True)
class WeakSection:
    """A section of the document, by its id, that a failing probe found wanting."""

    section_id: str
    probe: str
    how: str
    scores: Mapping[str, float] = field(default_factory=lambda: _NO_SCORES, hash=False)


@dataclass(frozen=True, slots=True)
class WeakTriples:
    """A failing probe over preference triples; `unflipped` is how many, which ones is unknown."""

    probe: str
    kind: str
    unflipped: int | None = None


@dataclass(frozen=True, slots=True)
class Preferred:
    """A preference triple that a failing probe asked for."""

    prompt: str
    chosen: str
    rejected: str
    probe: str
    how: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A failing probe, or a part of one, that gives nothing to train on, and why."""

    probe: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that one file says: `probes` were asked, `failing` of them failed.

    `suite` is the file of cases that it names; `notes` are worth saying and no failure.
    """

    tool: str
    probes: int
    failing: int
    pairs: tuple[Recovered, ...] = ()
    cuts: tuple[Cut, ...] = ()
    sections: tuple[WeakSection, ...] = ()
    triples: tuple[WeakTriples, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    suite: Path | None = None
    notes: tuple[str, ...] = ()
