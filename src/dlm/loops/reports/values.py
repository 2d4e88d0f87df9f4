"""What a report of an evaluation tool gives, as plain values. Knows no format and no document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dlm.errors import DlmError

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


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user says of a report that does not say it: which column is what, who is asked.

    `failed_when` is a column with `=`, `!=`, `<`, `<=`, `>` or `>=` and a value.
    """

    prompt_field: str | None = None
    reference_field: str | None = None
    failed_when: str | None = None
    provider: str | None = None


NO_CHOICES: Final = Choices()


class Tally:
    """What is gathered while the rows of a report are read: verdicts by provider, and pairs."""

    def __init__(self, tool: str, choices: Choices = NO_CHOICES) -> None:
        self.notes: list[str] = []
        self._tool, self._wanted = tool, choices.provider
        self._seen: dict[str, dict[str, int]] = {}
        self._pairs: list[Recovered] = []
        self._unusable: list[Unusable] = []

    def counts(self, provider: str, verdict: str) -> bool:
        """Count a row (`verdict` is pass, fail or error); whether it is a failure to be read."""
        told = self._seen.setdefault(provider, {"pass": 0, "fail": 0, "error": 0})
        told[verdict] += 1
        return verdict == "fail" and self._is_wanted(provider)

    def add(self, name: str, found: Recovered | str) -> None:
        """The pair of a failure, or why there is none."""
        if isinstance(found, Recovered):
            self._pairs.append(found)
        else:
            self._unusable.append(Unusable(name, found))

    def report(self) -> Report:
        """All that was gathered; raises DlmError where the wanted provider was not seen."""
        kept = [told for name, told in self._seen.items() if self._is_wanted(name)]
        if self._wanted and not kept:
            known = ", ".join(sorted(filter(None, self._seen))) or "none is named"
            raise DlmError(
                f"the report holds no answers of {self._wanted!r}", hint=f"its providers: {known}"
            )
        total = sum(sum(told.values()) for told in kept)
        failing, errors = (sum(told[what] for told in kept) for what in ("fail", "error"))
        notes = list(self.notes)
        if len(self._seen) > 1 and not self._wanted:
            each = "; ".join(
                f"{name or 'unnamed'} failed {told['fail']} of {sum(told.values())}"
                + (f" ({told['error']} without an answer)" if told["error"] else "")
                for name, told in self._seen.items()
            )
            notes.append(f"{len(self._seen)} providers: {each}; --provider NAME takes one of them")
        if errors:
            notes.append(
                f"{errors} of {total} got no answer or no verdict: no failure of the model"
            )
        return Report(
            self._tool,
            total,
            failing,
            tuple(self._pairs),
            unusable=tuple(self._unusable),
            notes=tuple(notes),
        )

    def _is_wanted(self, provider: str) -> bool:
        wanted = self._wanted
        return wanted is None or wanted.lower() in (
            provider.lower(),
            provider.lower().split(":")[-1],
        )
