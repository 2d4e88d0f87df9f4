"""The values a store hands out: versions, runs, remembered items, moves of the pointer.

They know neither SQL nor the disk; each turns into JSON and back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from dlm.data.items import Item

MAX_NUMBER = 999_999_999

_VERSION = re.compile(r"v?0*([0-9]{1,9})")
_TYPES: dict[Any, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float)}


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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; a figure that is not finite becomes null, a type JSON lacks its text."""
        return _to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; raises ValueError, TypeError or KeyError on anything else."""
        known = _from_json(cls, data)
        known["started_at"] = moment(known["started_at"])
        known["ended_at"] = moment(known["ended_at"])
        known["config"] = dict(known["config"])
        known["figures"] = dict(known["figures"])
        return cls(**known)


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
        item = {one.name: _plain(getattr(self.item, one.name)) for one in fields(self.item)}
        own = {one.name: _plain(getattr(self, one.name)) for one in fields(self)[1:]}
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
        """The inverse of `to_json`; raises ValueError, TypeError or KeyError on anything else."""
        before, after, why = data["from"], data["to"], data["why"]
        if not isinstance(before, str | None) or not all(isinstance(x, str) for x in (after, why)):
            raise TypeError("a move of the pointer with something else in place of a text")
        return cls(moment(data["at"]), before, after, why)


def now() -> datetime:
    """This moment in UTC, to the second: what the store writes."""
    return datetime.now(UTC).replace(microsecond=0)


def moment(text: str) -> datetime:
    """The UTC time an ISO text names; a text without a zone is taken as UTC."""
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _to_json(record: RunRecord) -> dict[str, Any]:
    return {item.name: _plain(getattr(record, item.name)) for item in fields(record)}


def _from_json(cls: type[RunRecord], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record, each checked to be of its simple type."""
    known = {item.name: data[item.name] for item in fields(cls)}
    for item in fields(cls):
        expected = _TYPES.get(item.type, object)
        if not isinstance(known[item.name], expected):
            raise TypeError(f"{item.name} is not {item.type}")
    return known


def _plain(value: Any) -> Any:
    """JSON for any value: a finished training must never be lost to a figure of an odd type."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        # A path that is not UTF-8 carries lone surrogates, which neither JSON nor SQLite can hold.
        return str(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(_plain(str(key))): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return _plain(str(value))
