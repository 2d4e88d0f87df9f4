"""What the report tells, as plain values; each figure was read from the store or the document.

Knows neither SQL nor HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from dlm.eval.comparison import Comparison
from dlm.eval.figures import Figure
from dlm.eval.scorecard import Scorecard
from dlm.store.completions import SynthRun
from dlm.store.improving import TeacherRecord
from dlm.store.metrics import RunOutcome
from dlm.store.records import PointerMove


class Knowledge(StrEnum):
    """How a section or a question stands with the version that answers."""

    LEARNED = "learned"
    PARTLY = "partly"
    NOT = "not learned"
    UNMEASURED = "not measured"
    ASKED = "only asked"
    SILENT = "never asked"


@dataclass(frozen=True, slots=True)
class PairFacts:
    """One question of the document. `role` is train, probe, exam or held out; `right` and `said`
    are of the answer the version gave, None where it was not asked; `known` is 0..1. `opened` is
    the answer with the notes open, where that is wrong.
    """

    line: int
    role: str
    question: str
    answer: str
    state: Knowledge
    known: float | None = None
    right: bool | None = None
    said: str | None = None
    opened: str | None = None

    @property
    def apart(self) -> bool:
        """Whether it was kept from training, so that it stands for itself in its section."""
        return self.role in ("exam", "held out")

    @property
    def verdict(self) -> str | None:
        """The word for an answer to what was never trained on."""
        if self.right is None or not self.apart:
            return None
        return "right" if self.right else "wrong"


@dataclass(frozen=True, slots=True)
class SectionFacts:
    """One section, in the order of the document. `text` is that of a section without pairs."""

    number: int
    type: str
    line: int
    name: str | None
    opening: str
    origin: str
    state: Knowledge
    known: float | None
    text: str
    pairs: tuple[PairFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """One version that still stands, or was measured before it was pruned.

    `served`: it was current at some time. `card` are its latest figures, without items; `items`
    says whether its answers are kept, so that it can be compared.
    """

    name: str
    made_at: datetime
    mode: str | None
    parent: str | None
    served: bool
    stands: bool
    current: bool
    card: Scorecard | None
    items: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What a version gained and lost against an earlier one."""

    version: str
    compared: Comparison


@dataclass(frozen=True, slots=True)
class EpochFacts:
    """What was measured after an epoch, whose last step is `step`; None where it was not."""

    epoch: int
    step: int | None = None
    answer_nll: float | None = None
    held_out_nll: float | None = None
    drift: float | None = None
    learned: int | None = None
    pairs: int | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One training. `losses` are (step, nats per token), `shares` what it read, by source;
    `drift_bound` is what stops it, None where it had none or none was kept.
    """

    run_id: str
    started_at: datetime
    mode: str
    outcome: RunOutcome
    version: str | None
    why: str
    steps: int
    seconds: float | None
    losses: tuple[tuple[int, float], ...]
    epochs: tuple[EpochFacts, ...]
    shares: tuple[Mapping[str, Any], ...]
    drift_bound: float | None
    drift: float | None
    drift_texts: int | None


@dataclass(frozen=True, slots=True)
class SynthFacts:
    """One synthesis, and what became of it: how many of its pairs stand in the document now."""

    run: SynthRun
    standing: int
    edited: int
    staged: int
    applied_at: datetime | None
    reverted_at: datetime | None


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """One round of improvement, as far as it has come.

    `scores` are the overall on the exam, by who sat it: champion, challenger, perhaps the teacher;
    `difference` is that of challenger and champion, and `p` how often chance gives as much.
    """

    name: str
    step: str
    started_at: datetime
    teacher: str
    strategy: str
    champion: str
    challenger: str | None
    brings: str | None
    scores: Mapping[str, Figure]
    difference: Figure | None
    p: float | None
    met: tuple[str, ...]
    reasons: tuple[str, ...]
    diversity: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything on the page.

    `fits`: the card was measured on exactly the text of today. `moves` of the pointer are those
    that no training made. `teacher` is the number of the one that serves.
    """

    document: str
    title: str
    dlm_id: str
    base: str
    made_at: datetime
    current: str | None
    card: Scorecard | None
    fits: bool
    sections: tuple[SectionFacts, ...]
    versions: tuple[VersionFacts, ...] = ()
    changes: tuple[Change, ...] = ()
    runs: tuple[RunFacts, ...] = ()
    moves: tuple[PointerMove, ...] = ()
    synths: tuple[SynthFacts, ...] = ()
    rounds: tuple[RoundFacts, ...] = ()
    teachers: tuple[TeacherRecord, ...] = ()
    teacher: int | None = None
    real_share: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, times as `datetime`."""
        return {
            "document": self.document,
            "dlm_id": self.dlm_id,
            "base": self.base,
            "made_at": self.made_at,
            "current": self.current,
            "measured_on_this_text": self.fits,
            "figures": self.card.figures_json() if self.card else None,
            "sections": [asdict(section) for section in self.sections],
            "versions": [_version_json(version) for version in self.versions],
            "changes": [_change_json(change) for change in self.changes],
            "runs": [asdict(run) | {"shares": [dict(s) for s in run.shares]} for run in self.runs],
            "moves": [
                {"at": one.at, "before": one.from_version, "to": one.to_version, "why": one.why}
                for one in self.moves
            ],
            "synths": [_synth_json(synth) for synth in self.synths],
            "rounds": [asdict(one) for one in self.rounds],
            "teachers": [one.to_json() for one in self.teachers],
            "teacher": self.teacher,
            "real_share_wanted": self.real_share,
        }


def _version_json(version: VersionFacts) -> dict[str, Any]:
    return {
        "version": version.name,
        "made_at": version.made_at,
        "mode": version.mode,
        "parent": version.parent,
        "served": version.served,
        "stands": version.stands,
        "current": version.current,
        "figures": version.card.figures_json() if version.card else None,
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {"version": change.version, **change.compared.to_json()}


def _synth_json(synth: SynthFacts) -> dict[str, Any]:
    run = synth.run
    return {
        "run": run.run,
        "teacher": run.teacher,
        "made_at": run.made_at,
        "planned": run.planned,
        "note": dict(run.note),
        "samples": [dict(sample) for sample in run.samples],
        "standing": synth.standing,
        "edited": synth.edited,
        "staged": synth.staged,
        "applied_at": synth.applied_at,
        "reverted_at": synth.reverted_at,
    }
