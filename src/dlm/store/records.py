"""The values a store hands out: versions, runs, remembered items, moves of the pointer.

They know neither SQL nor the disk; `codec` turns them into JSON and back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from dlm.data.items import Item
from dlm.store.codec import from_json, to_json

MAX_NUMBER = 999_999_999

_VERSION = re.compile(r"v?0*([0-9]{1,9})")


def version_name(number: int) -> str:
    """`3` → `v0003`."""
    return f"v{number:04d}"


def version_number(name: str) -> int | None:
    """`v0003`, `v3` or `3` → 3; None for anything else."""
    match = _VERSION.fullmatch(name.strip())
    return int(match[1]) if match else None


def run_name(started: datetime) -> str:
    """The id of the run that began at that moment, the same when it is resumed."""
    return f"{started:%Y%m%dT%H%M%S}-{started.microsecond:05x}"


@dataclass(frozen=True, slots=True)
class Version:
    """One committed adapter. `parent` is the one it continued, None for a fresh one."""

    number: int
    name: str
    path: Path
    sha256: str
    created_at: datetime
    run_id: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """How a version came to be. Times are UTC; `seconds` is wall time; `mode` continue or fresh."""

    run_id: str
    started_at: datetime
    ended_at: datetime
    base_key: str
    base_fingerprint: str
    document_sha256: str
    document_path: str
    mode: str
    config: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    stop_reason: str = ""
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """One item in what a version remembers: what later trainings replay so that it stays.

    `removed` says that the document no longer holds it; `since` and `seen` are the versions whose
    training had it first and last. `nll` (nats per token) and `exact` are those of the answer
    under the version; None for prose. `times` is how often the document said it: what it repeats
    weighs more.
    """

    item: Item
    since: str
    seen: str
    removed: bool = False
    nll: float | None = None
    exact: bool | None = None
    times: int = 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with the fields of the item beside the others."""
        item = {one.name: to_json(getattr(self.item, one.name)) for one in fields(self.item)}
        own = {one.name: to_json(getattr(self, one.name)) for one in fields(self)[1:]}
        return {"item_id": self.item.item_id, **item, **own}


@dataclass(frozen=True, slots=True)
class PointerMove:
    """One move of the current pointer, by a commit, a rollback or a repair."""

    at: datetime
    from_version: str | None
    to_version: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with the keys `at`, `from`, `to` and `why`."""
        return {
            "at": self.at.isoformat(),
            "from": self.from_version,
            "to": self.to_version,
            "why": self.why,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; raises ValueError or KeyError on anything else."""
        before, after = data["from"], data["to"]
        named = {"from_version": before, "to_version": after, "why": data["why"]}
        return from_json(cls, {"at": data["at"], **named})


def now() -> datetime:
    """This moment in UTC, to the second: what the store writes."""
    return datetime.now(UTC).replace(microsecond=0)


def moment(text: str) -> datetime:
    """The UTC time an ISO text names; a text without a zone is taken as UTC."""
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
