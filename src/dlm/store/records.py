"""The values a store hands out, and plain values into JSON and back.

Versions, runs, remembered lessons and moves of the pointer know neither SQL nor the disk. What a
dataclass is made of is written down only there: reading goes through pydantic, which is imported
when the first value is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dlm.data.lessons import Lesson

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

MAX_NUMBER = 999_999_999

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}  # making one takes longer than using it
_VERSION = re.compile(r"v?0*([0-9]{1,9})")


def version_name(number: int) -> str:
    """`3` → `v0003`."""
    return f"v{number:04d}"


def version_number(name: str) -> int | None:
    """`v0003`, `v3` or `3` → 3; None for anything else."""
    match = _VERSION.fullmatch(name.strip())
    return int(match[1]) if match else None


def name_of(number: int | None) -> str | None:
    """The name of a version that may be none."""
    return None if number is None else version_name(number)


def number_of(name: str | None) -> int | None:
    """The number of a version that may be none."""
    return None if name is None else version_number(name)


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
    """One lesson in what a version remembers: what later trainings replay so that it stays.

    `removed` says that the document no longer holds it; `since` and `seen` are the versions whose
    training had it first and last. `nll` (nats per token) and `exact` are those of the answer
    under the version; None for prose. `times` is how often the document said it: what it repeats
    weighs more.
    """

    lesson: Lesson
    since: str
    seen: str
    removed: bool = False
    nll: float | None = None
    exact: bool | None = None
    times: int = 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with what the lesson says beside the rest; `question` is null for prose."""
        lesson = self.lesson
        told = {
            "item_id": lesson.id,
            "section_id": lesson.section_id,
            "origin": lesson.origin,
            "line": lesson.line,
            "file": lesson.file,
            "text": to_json(lesson.text),
            "question": to_json(lesson.question or None),
        }
        return told | {one.name: to_json(getattr(self, one.name)) for one in fields(self)[1:]}


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


def to_json(value: Any) -> Any:
    """JSON for any value; a dataclass becomes an object of its fields.

    Nothing is refused, so that a finished training is never lost to a figure of an odd type: a
    number that is not finite becomes null, a type JSON lacks its text.
    """
    if isinstance(value, Enum):
        return to_json(value.value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return finite(float(value))
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if is_dataclass(value):
        return {one.name: to_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(to_json(str(key))): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    return to_json(str(value))


def from_json(kind: type[T], data: object) -> T:
    """The dataclass `kind` from what `to_json` made of it; unknown keys are left out.

    Raises ValueError on anything else, saying which field is wrong.
    """
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        from pydantic import TypeAdapter

        from dlm.plugins import without_plugins

        with without_plugins():
            adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    found: T = adapter.validate_python(data)
    return found


def finite(value: Any) -> Any:
    """The value, or None in place of a number that is not one, which JSON and SQL cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def printable(text: str) -> str:
    """The text, a path perhaps, without the lone surrogates that JSON and SQLite cannot hold."""
    return str(text).encode("utf-8", "replace").decode("utf-8")
