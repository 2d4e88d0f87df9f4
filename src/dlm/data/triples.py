"""Preference triples as values: a prompt, a better and a worse answer, and how far to trust them.

Finds the ones that say the opposite of each other. Knows nothing of tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dlm.data.items import normal_lines


@dataclass(frozen=True, slots=True)
class Preference:
    """One triple of a document. `weight` is the trust in its origin, `line` that of the prompt."""

    section_id: str
    origin: str
    line: int
    weight: float
    prompt: str
    chosen: str
    rejected: str

    @property
    def triple_id(self) -> str:
        """First 16 hex digits of a digest of the words; spacing at line ends does not matter."""
        return _digest(self.prompt, self.chosen, self.rejected)

    @property
    def first_words(self) -> str:
        """The beginning of the prompt, on one line."""
        words = " ".join(self.prompt.split())
        return words if len(words) <= 72 else words[:71].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two triples that prefer opposite answers to the same prompt."""

    first: Preference
    second: Preference


def distinct(triples: Sequence[Preference]) -> tuple[Preference, ...]:
    """Each triple once, at its first place, as trusted as its most trusted copy."""
    found: dict[str, Preference] = {}
    for one in triples:
        before = found.get(one.triple_id)
        if before is None or before.weight < one.weight:
            found[one.triple_id] = one
    return tuple(sorted(found.values(), key=lambda one: one.line))


def contradictions(triples: Sequence[Preference]) -> tuple[Contradiction, ...]:
    """Pairs of triples with the same prompt and their answers swapped, in document order."""
    seen: dict[str, Preference] = {}
    found = []
    for one in triples:
        swapped = _digest(one.prompt, one.rejected, one.chosen)
        if swapped in seen:
            found.append(Contradiction(seen[swapped], one))
        seen.setdefault(one.triple_id, one)
    return tuple(found)


def _digest(*words: str) -> str:
    text = "\0".join(map(normal_lines, words))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
