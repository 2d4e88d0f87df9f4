"""Which format a chat log is in, told by what it holds, and the conversations in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError
from dlm.loops.chat_logs import chatgpt, claude, messages, open_webui, sharegpt
from dlm.loops.chat_logs.values import Conversation, Log, Turn, joined
from dlm.loops.rows_file import read_rows

# Each reader gives the turns of one JSON value, and raises ValueError for one that is no
# conversation of its format.
FORMATS: Final[Mapping[str, Callable[[Any], list[Turn]]]] = {
    "chatgpt": chatgpt.turns,
    "claude": claude.turns,
    "open-webui": open_webui.turns,
    "sharegpt": sharegpt.turns,
    "messages": messages.turns,
}


def read_log(path: Path, format: str | None = None) -> Log:
    """The conversations of a log, in the format given or else found out.

    A part that cannot be read is named in the result. Raises DlmError, naming file and line, for a
    file of which nothing can.
    """
    if format is not None and format not in FORMATS:
        known = ", ".join(FORMATS)
        raise DlmError(f"there is no chat format {format!r}", hint=f"it is one of {known}")
    hint = "name the file that the chat tool exported; --format says which format to read it as"
    file = read_rows(path, "chat log", hint=hint, lenient=True)
    items = _unwrapped(file.rows)
    name = format or _detected(items)
    if name is None:
        raise file.error(
            items[0][0] if items else 1,
            "this is no chat log: neither messages, ShareGPT, ChatGPT, Claude nor Open WebUI",
        )
    found: list[Conversation] = []
    for line, item in items:
        try:
            turns = joined(FORMATS[name](item))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "its parts are of another kind"
            file.name(line, f"this is no conversation of the format {name}: {why}")
        else:
            found.append(Conversation(f"{path.name}:{line}", turns))
    if not found:
        raise file.error(*min(file.broken, default=(1, "it holds no conversation")))
    return Log(name, tuple(found), file.malformed)


def _detected(items: list[tuple[int, Any]]) -> str | None:
    """The format of the first value that is one."""
    for _, item in items:
        for name, keys in _KEYS.items():
            if isinstance(item, dict) and any(key in item for key in keys):
                if name == "sharegpt" and messages.has_roles(item["conversations"]):
                    return "messages"
                return name
    return None


def _unwrapped(items: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """A list of conversations that stands inside an object, and one conversation that is bare."""
    if items and all(messages.is_message(item) for _, item in items):
        return [(items[0][0], {"messages": [item for _, item in items]})]
    if len(items) == 1 and isinstance(items[0][1], dict):
        inner = items[0][1].get("conversations") or items[0][1].get("chats")
        if isinstance(inner, list) and inner and _detected([(1, inner[0])]):
            return [(items[0][0], item) for item in inner]
    return items


_KEYS: Final = {
    "chatgpt": ("mapping",),
    "claude": ("chat_messages",),
    "open-webui": ("chat", "history"),
    "sharegpt": ("conversations",),
    "messages": ("messages", "conversation"),
}
