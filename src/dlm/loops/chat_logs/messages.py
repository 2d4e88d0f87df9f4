"""`{"messages": [{"role", "content"}]}`: one conversation a line, as chat APIs and trainers use."""

from __future__ import annotations

from typing import Any, Final

from dlm.loops.chat_logs.values import ASSISTANT, USER, Turn

_ROLES: Final = {
    "user": USER,
    "human": USER,
    "prompter": USER,
    "assistant": ASSISTANT,
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "model": ASSISTANT,
    "bot": ASSISTANT,
    "ai": ASSISTANT,
}


def turns(item: Any) -> list[Turn]:
    """The turns under `messages`, `conversation` or `conversations`."""
    names = ("messages", "conversation", "conversations")
    found = next((item[name] for name in names if name in item), None)
    if not isinstance(found, list):
        raise ValueError("it holds no list of messages")
    return [turn for one in found if (turn := turn_of(one, "role", "content"))]


def turn_of(message: Any, role: str, text: str) -> Turn | None:
    """What a user or an assistant said; None for a system prompt, a tool, and anything unknown."""
    who = _ROLES.get(str(message.get(role, "")).lower())
    if who is None:
        return None
    ended = message.get("finish_reason") != "length" and message.get("done") is not False
    return Turn(who, said(message.get(text)), ended)


def said(content: Any) -> str:
    """The text of a content, which may be a list of parts; pictures and calls say nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [
        part if isinstance(part, str) else str(part.get("text") or "")
        for part in content
        if isinstance(part, str) or (isinstance(part, dict) and part.get("type") in (None, "text"))
    ]
    return "\n\n".join(part for part in parts if part.strip())


def is_message(item: Any) -> bool:
    """Whether this is one message by itself."""
    return isinstance(item, dict) and "role" in item and "content" in item


def has_roles(found: Any) -> bool:
    """Whether a list holds messages rather than ShareGPT's turns."""
    return isinstance(found, list) and bool(found) and is_message(found[0])
