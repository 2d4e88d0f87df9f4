"""What a frozen base makes of texts and questions that are the same for every document.

Computed once per base and kind of arithmetic, under the fingerprint of the base; the bases that dlm
brings ship with theirs. Knows rows of tokens, not what they are about.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dlm.base_models.folder import fingerprint
from dlm.data.chat import Encoded
from dlm.engine.model import Score
from dlm.errors import DlmError
from dlm.files import home, write_atomic

SHIPPED: Final = "figures.json.gz"
_SHIPPED_FOR: Final = ("cpu", "float32")


class BaseMemory:
    """Scores by row and answers by prompt; a lack of them, or a damaged file, costs time alone."""

    def __init__(self, mark: str, device: str, dtype: str, shipped: Path | None = None) -> None:
        self._mark = mark
        self._path = home() / "figures" / f"{mark[:32]}-{device}-{dtype}.json.gz"
        self._found: dict[str, Any] = {}
        for path in (shipped if (device, dtype) == _SHIPPED_FOR else None, self._path):
            if path is not None:
                self._found |= _read(path, mark)
        self._changed = False

    @classmethod
    def of(cls, folder: Path, device: str, dtype: str) -> BaseMemory:
        """That of the base in a folder."""
        return cls(fingerprint(folder), device, dtype, folder / SHIPPED)

    def score(self, row: Encoded) -> Score | None:
        """How well the base predicts a row, if that is known."""
        found = self._found.get(_key("score", row.ids, row.supervised))
        return Score(*found) if found is not None else None

    def answer(self, prompt: Sequence[int], bound: int) -> list[int] | None:
        """The greedy answer of the base in at most `bound` tokens, if that is known."""
        return self._found.get(_key("answer", prompt, bound))

    def note_score(self, row: Encoded, score: Score) -> None:
        self._note(_key("score", row.ids, row.supervised), [score.nll, score.tokens, score.exact])

    def note_answer(self, prompt: Sequence[int], bound: int, answer: Sequence[int]) -> None:
        self._note(_key("answer", prompt, bound), list(answer))

    def keep(self) -> None:
        """Write what is new; where the disk refuses, the next run computes it again."""
        if not self._changed:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(self._path, self.encoded())
        except (OSError, DlmError):
            return
        self._changed = False

    def encoded(self) -> bytes:
        """The file that keeps it."""
        value = {"base": self._mark, "found": dict(sorted(self._found.items()))}
        return gzip.compress(json.dumps(value, separators=(",", ":")).encode(), mtime=0)

    def _note(self, key: str, value: Any) -> None:
        self._found[key] = value
        self._changed = True


def _key(kind: str, *parts: object) -> str:
    return hashlib.sha256(json.dumps([kind, *parts]).encode()).hexdigest()[:24]


def _read(path: Path, mark: str) -> dict[str, Any]:
    """What a file holds; nothing when it is of another base or damaged."""
    try:
        value = json.loads(gzip.decompress(path.read_bytes()))
        found = value["found"] if value["base"] == mark else {}
    except (OSError, EOFError, ValueError, TypeError, KeyError):
        return {}
    return found if isinstance(found, dict) else {}
