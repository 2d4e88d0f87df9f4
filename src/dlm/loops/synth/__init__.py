"""Synthesis: pairs that a teacher writes from the prose of a document; what may be chosen of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """Where answers come from, or for backtranslation, where the text comes from."""

    EXTRACTION = "extraction"
    EXPANSION = "expansion"
    BOTH = "both"
    BACKTRANSLATE = "backtranslate"


class Filter(StrEnum):
    """How much is asked of a candidate. Exam questions are refused by every filter."""

    SWAY = "sway"
    DEDUP_ONLY = "dedup-only"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SynthOptions:
    """`None` leaves a choice to the strategy, the judge or the size of the teacher.

    `over` is how many candidates are asked for one that is kept; a small teacher needs more.
    `tries` is how often a small teacher is asked about a sentence, unless `over` says it.
    `again` asks about sentences too that a pair of the document says already.
    `candidates`, `top_k`, `max_target_tokens`, `scorer` and `keep_reasoning` concern
    backtranslation.
    """

    strategy: Strategy = Strategy.EXTRACTION
    per_section: int = 2
    max_pairs: int | None = None
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float = 0.95
    seed: int = 0
    sections: tuple[str, ...] = ()
    over: int | None = None
    filter: Filter = Filter.SWAY
    threshold: float | None = None
    again: bool = False
    tries: int = 10
    candidates: int = 4
    top_k: int = 2
    max_target_tokens: int = 6144
    scorer: str = "base"
    keep_reasoning: bool = False

    @property
    def backtranslates(self) -> bool:
        return self.strategy is Strategy.BACKTRANSLATE

    @property
    def sampling_temperature(self) -> float:
        """The sampling temperature; requests for a text need more variety than facts do."""
        if self.temperature is not None:
            return self.temperature
        return 0.9 if self.backtranslates else 0.7
