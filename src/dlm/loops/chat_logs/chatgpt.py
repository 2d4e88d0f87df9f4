"""`conversations.json` of ChatGPT: a tree of messages, of which one branch was the conversation."""

from __future__ import annotations

from typing import Any, Final

from dlm.loops.chat_logs.messages import turn_of
from dlm.loops.chat_logs.tree import branch
from dlm.loops.chat_logs.values import Turn

_SPOKEN: Final = ("text", "multimodal_text")


def turns(item: Any) -> list[Turn]:
    """The turns from the root to the current node."""
    nodes = item.get("mapping") if isinstance(item, dict) else None
    if not isinstance(nodes, dict):
        raise ValueError("it holds no mapping of messages")
    found = branch(nodes, item.get("current_node"), parent="parent", children="children")
    return [turn for node in found if (turn := _turn(node.get("message")))]


def _turn(message: Any) -> Turn | None:
    """What was said and seen: calls of tools, thoughts and hidden messages are not."""
    if not isinstance(message, dict) or message.get("weight") == 0:
        return None
    content = message.get("content") or {}
    hidden = (message.get("metadata") or {}).get("is_visually_hidden_from_conversation")
    if content.get("content_type") not in (None, *_SPOKEN) or hidden:
        return None
    if message.get("recipient", "all") != "all" or message.get("channel") == "commentary":
        return None
    parts = [part for part in content.get("parts") or () if isinstance(part, str)]
    role = (message.get("author") or {}).get("role")
    ended = message.get("status") in (None, "finished_successfully")
    return turn_of({"role": role, "content": parts, "done": ended}, "role", "content")
