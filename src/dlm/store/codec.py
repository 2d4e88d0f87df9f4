"""Plain values into JSON and back: what a dataclass is made of is written down only there.

Reading goes through pydantic, which is imported when the first value is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}  # making one takes longer than using it


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
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        # A path that is not UTF-8 carries lone surrogates, which neither JSON nor SQLite can hold.
        return str(value).encode("utf-8", "replace").decode("utf-8")
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

        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    found: T = adapter.validate_python(data)
    return found
