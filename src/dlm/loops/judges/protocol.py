"""What every judge is to the loops. Knows no models and no commands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with the candidates that answer it.

    `passage` is the text the answer should rest on, `reference` an answer that is known to be good;
    a judge may use either.
    """

    prompt: str
    candidates: tuple[str, ...]
    reference: str | None = None
    passage: str | None = None


class Judge(ABC):
    """Scores candidates; higher is better. Scores of one judge can be compared with each other.

    `name` is for people and for provenance, `threshold` what a candidate needs unless the owner
    says otherwise, `margin` by how much one must lead another to be preferred. A judge that is not
    `repeatable` may score otherwise when asked again or after something else.
    """

    name: str
    threshold: float
    margin: float
    repeatable: bool = True

    @abstractmethod
    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """A score for every candidate of every question; NaN where none could be had.

        Raises JudgeError when the judge cannot go on.
        """

    def why(self, prompt: str, candidate: str) -> str:
        """What the judge says about a candidate it scored; nothing where it only scores."""
        return ""

    def score(
        self,
        prompt: str,
        candidates: Sequence[str],
        *,
        reference: str | None = None,
        passage: str | None = None,
    ) -> list[float]:
        """The scores of the candidates for one prompt."""
        return self.score_all([Question(prompt, tuple(candidates), reference, passage)])[0]
