"""The export of Open WebUI: `{"chat": {"history": {"messages": {id: …}, "currentId": id}}}`."""

from __future__ import annotations

from typing import Any

from dlm.loops.chat_logs.messages import turn_of
from dlm.loops.chat_logs.tree import branch
from dlm.loops.chat_logs.values import Turn


def turns(item: Any) -> list[Turn]:
    """The turns of the current branch, or of the plain list where there is no tree."""
    chat = item.get("chat", item) if isinstance(item, dict) else None
    if not isinstance(chat, dict):
        raise ValueError("it holds no chat")
    history = chat.get("history") or {}
    nodes = history.get("messages")
    if isinstance(nodes, dict) and nodes:
        current = history.get("currentId")
        found = branch(nodes, current, parent="parentId", children="childrenIds")
    elif isinstance(chat.get("messages"), list):
        found = chat["messages"]
    else:
        raise ValueError("it holds no messages")
    return [turn for one in found if (turn := turn_of(one, "role", "content"))]
