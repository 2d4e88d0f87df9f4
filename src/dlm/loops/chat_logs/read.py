"""Which format a chat log is in, told by what it holds, and what stands in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError
from dlm.loops.chat_logs.formats import FORMATS, comparison, is_comparison
from dlm.loops.chat_logs.values import (
    ASSISTANT,
    USER,
    Comparison,
    Conversation,
    Log,
    joined,
)
from dlm.sources.rows_file import Rows, RowsFile, read_rows

PREFERENCE: Final = "preference"
KNOWN: Final = (*FORMATS, PREFERENCE)


def read_log(path: Path, format: str | None = None) -> Log:
    """What a log holds, in the format given or else found out.

    A part that cannot be read is named in the result. Raises DlmError, naming file and line, for a
    file of which nothing can, and for one whose messages are nobody's.
    """
    if format is not None and format not in KNOWN:
        raise DlmError(
            f"there is no chat format {format!r}", hint=f"it is one of {', '.join(KNOWN)}"
        )
    hint = "name the file that the chat tool exported; --format says which format to read it as"
    file = read_rows(path, "chat log", hint=hint, lenient=True)
    items = _unwrapped(file.rows)
    name = format or next((found for _, item in items if (found := _format(item))), None)
    if name is None:
        line, first = items[0]
        raise file.error(
            line, f"this is no chat log of {', '.join(KNOWN[:-1])} or {KNOWN[-1]}: {_seen(first)}"
        )
    log = _compared(file, items) if name == PREFERENCE else _talked(file, items, name)
    if not (log.conversations or log.comparisons):
        raise file.error(*min(file.broken, default=(1, "it holds no conversation")))
    roles = {turn.role for each in log.conversations for turn in each.turns}
    if log.conversations and roles != {USER, ASSISTANT}:
        what = f"only what the {min(roles)} said" if roles else "nothing that was said"
        seen = f", and {told(log.left_out)} that cannot be read" if log.left_out else ""
        raise file.error(items[0][0], f"read as {name}, this file holds {what}{seen}")
    return log


def told(left_out: Counter[str]) -> str:
    """`2 messages of the role 'system', 1 part of the kind 'image'`, the most first."""
    return ", ".join(
        f"{n} {what if n == 1 else what.replace(' ', 's ', 1)}"
        for what, n in left_out.most_common(8)
    )


def _talked(file: RowsFile, items: Rows, name: str) -> Log:
    found: list[Conversation] = []
    left_out: Counter[str] = Counter()
    for line, item in items:
        try:
            turns = joined(FORMATS[name](item, left_out))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "its parts are of another kind"
            file.name(line, f"this is no conversation of the format {name}: {why}")
        else:
            found.append(Conversation(f"{file.path.name}:{line}", turns))
    return Log(name, tuple(found), malformed=file.malformed, left_out=left_out)


def _compared(file: RowsFile, items: Rows) -> Log:
    found: list[Comparison] = []
    left_out: Counter[str] = Counter()
    for line, item in items:
        try:
            found.append(Comparison(f"{file.path.name}:{line}", *comparison(item, left_out)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "its parts are of another kind"
            file.name(line, f"this is no comparison of two answers: {why}")
    return Log(PREFERENCE, (), tuple(found), file.malformed, left_out)


def _format(item: Any) -> str | None:
    """The format of one value."""
    if not isinstance(item, dict):
        return None
    if is_comparison(item):
        return PREFERENCE
    for name, keys in _KEYS.items():
        if any(key in item for key in keys):
            return name
    for name in ("messages", "conversation", "conversations", "items"):
        found = item.get(name)
        first = found[0] if isinstance(found, list) and found else None
        for known, keys in _OF_MESSAGES.items():
            if isinstance(first, dict) and all(key in first for key in keys):
                return known
    return "messages" if "messages" in item or "conversation" in item else None


_KEYS: Final = {
    "chatgpt": ("mapping",),
    "claude": ("chat_messages",),
    "librechat": ("messagesTree",),
    "gemini": ("contents", "chunkedPrompt"),
    "llm": ("llm",),
    "open-webui": ("chat", "history"),
}
_OF_MESSAGES: Final = {
    "lm-studio": ("versions",),
    "librechat": ("isCreatedByUser",),
    "sharegpt": ("from", "value"),
    "messages": ("role",),
}


def _unwrapped(items: Rows) -> Rows:
    """Conversations that stand inside an object, bare lists of messages, and rows of one talk."""
    values = [item for _, item in items]
    if values and all(map(_is_message, values)):
        contents = all("parts" in item and "content" not in item for item in values)
        return [(items[0][0], {"contents" if contents else "messages": values})]
    if values and all(map(_is_logged, values)):
        return _by_conversation(items)
    if len(items) == 1 and isinstance(values[0], dict):
        inner = values[0].get("conversations") or values[0].get("chats")
        if isinstance(inner, list) and inner and _format(inner[0]):
            return [(items[0][0], item) for item in inner]
    bare = [
        isinstance(item, list) and bool(item) and all(map(_is_message, item)) for item in values
    ]
    return [
        (line, {"messages": item} if is_bare else item)
        for (line, item), is_bare in zip(items, bare, strict=True)
    ]


def _is_message(item: Any) -> bool:
    """Whether this is one message by itself."""
    keys = {"content", "parts"}
    return isinstance(item, dict) and "role" in item and bool(keys & item.keys())


def _is_logged(item: Any) -> bool:
    """Whether this is a row of `llm logs --json`."""
    return isinstance(item, dict) and {"prompt", "response", "conversation_id"} <= item.keys()


def _by_conversation(items: Rows) -> Rows:
    """The rows of each conversation together, in the order in which they were asked."""
    found: dict[str, Rows] = {}
    for place, (line, item) in enumerate(items):
        found.setdefault(str(item["conversation_id"] or place), []).append((line, item))
    together: Rows = []
    for rows in found.values():
        rows.sort(key=lambda row: str(row[1].get("datetime_utc") or ""))
        together.append((min(line for line, _ in rows), {"llm": [item for _, item in rows]}))
    return together


def _seen(item: Any) -> str:
    """What stands there instead, for a message."""
    if isinstance(item, dict):
        keys = ", ".join(repr(str(key)[:40]) for key in list(item)[:8])
        return f"it begins with an object of the keys {keys}" if keys else "it begins with {}"
    kind = {list: "a list", str: "a text", bool: "a truth value", type(None): "nothing"}
    return f"it begins with {kind.get(type(item), 'a number')}"
