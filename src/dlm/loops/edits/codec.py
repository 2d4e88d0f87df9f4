"""An edit plan as JSON and back, as staged plans are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dlm.doc.provenance import Origin
from dlm.loops.edits.plan import Addition, EditPlan, Removal


def plan_to_json(plan: EditPlan) -> dict[str, Any]:
    """Plain JSON."""
    return {
        "run": plan.run,
        "origin": plan.origin.value,
        "by": plan.by,
        "created_at": plan.created_at.isoformat(),
        "document_sha256": plan.document_sha256,
        "additions": [
            {"id": each.id, "after": each.after, "summary": each.summary, "section": each.section}
            for each in plan.additions
        ],
        "removals": [
            {"section_id": each.section_id, "occurrence": each.occurrence, "summary": each.summary}
            for each in plan.removals
        ],
        "note": _plain(plan.note),
    }


def plan_from_json(data: Mapping[str, Any]) -> EditPlan:
    """The inverse of `plan_to_json`; raises ValueError, TypeError or KeyError on anything else."""
    at = datetime.fromisoformat(_text(data, "created_at"))
    return EditPlan(
        run=_text(data, "run"),
        origin=Origin(data["origin"]),
        by=_text(data, "by"),
        created_at=at if at.tzinfo else at.replace(tzinfo=UTC),
        document_sha256=_text(data, "document_sha256"),
        additions=tuple(
            Addition(
                _text(each, "id"),
                _text(each, "section"),
                None if each["after"] is None else _text(each, "after"),
                _text(each, "summary"),
            )
            for each in data["additions"]
        ),
        removals=tuple(
            Removal(_text(each, "section_id"), int(each["occurrence"]), _text(each, "summary"))
            for each in data["removals"]
        ),
        note=dict(data["note"]),
    )


def _plain(value: Any) -> Any:
    """JSON for any value: a plan must not be lost to a score that is not a number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    return value
