"""ShareGPT: `{"conversations": [{"from": "human", "value": "…"}]}`."""

from __future__ import annotations

from typing import Any

from dlm.loops.chat_logs.messages import turn_of
from dlm.loops.chat_logs.values import Turn


def turns(item: Any) -> list[Turn]:
    """The turns of one conversation."""
    found = item["conversations"] if isinstance(item, dict) and "conversations" in item else None
    if not isinstance(found, list):
        raise ValueError("it holds no list of conversations")
    return [turn for one in found if (turn := turn_of(one, "from", "value"))]
