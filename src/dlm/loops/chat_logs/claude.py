"""The data export of Claude: `{"chat_messages": [{"sender": "human", "text": "…"}]}`."""

from __future__ import annotations

from typing import Any

from dlm.loops.chat_logs.messages import said, turn_of
from dlm.loops.chat_logs.values import Turn


def turns(item: Any) -> list[Turn]:
    """The turns of one conversation; the text of parts wins over that beside them."""
    found = item.get("chat_messages") if isinstance(item, dict) else None
    if not isinstance(found, list):
        raise ValueError("it holds no chat_messages")
    read = []
    for message in found:
        text = said(message.get("content")) or message.get("text") or ""
        if turn := turn_of({"sender": message.get("sender"), "text": text}, "sender", "text"):
            read.append(turn)
    return read
