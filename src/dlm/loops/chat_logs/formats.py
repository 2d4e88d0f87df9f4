"""The formats of chat logs: which one a file is in, and what of each JSON value is said.

Each reader gives the turns of one value, and raises ValueError for one that is none of its format.
`docs/mining.md` names the version that each was read from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError
from dlm.loops.chat_logs.messages import (
    ASSISTANT,
    TOOL,
    USER,
    Comparison,
    Conversation,
    Log,
    Turn,
    branch,
    joined,
    turns_in,
    turns_of,
)
from dlm.loops.chat_logs.text import asked, plain
from dlm.sources.rows_file import Rows, RowsFile, read_rows

Reader = Callable[[Any, Counter[str]], list[Turn]]

_MAKERS: Final = ("canmore", "dalle", "image_gen")  # their work is the answer
_SPOKEN: Final = (None, "text", "multimodal_text", "audio_transcription")
# The two answers of a preference file, by who writes it.
_PAIRS: Final = (
    ("chosen", "rejected"),  # trainers
    ("preferred_output", "non_preferred_output"),  # OpenAI
    ("chosen_response", "rejected_response"),
    ("response_chosen", "response_rejected"),
    (None, "rejected_response"),  # ms-swift: the chosen one ends the messages
    (None, "rejected_messages"),
)
_TEMPLATE: Final = re.compile(
    r"<\|(?:im_start|start_header_id|user|system)\|>|\[INST\]|<start_of_turn>"
)
_SPEAKER: Final = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")


def messages(item: Any, left_out: Counter[str]) -> list[Turn]:
    """`{"messages": [{"role", "content"}]}`, as chat APIs and their fine-tuning have it."""
    return turns_of(_list(item, "messages", "conversation", "conversations"), left_out)


def sharegpt(item: Any, left_out: Counter[str]) -> list[Turn]:
    """`{"conversations": [{"from", "value"}]}`; the value may be the HTML of the page."""
    return turns_of(_list(item, "conversations", "items"), left_out)


def gemini(item: Any, left_out: Counter[str]) -> list[Turn]:
    """`{"contents": [{"role", "parts"}]}` of the API, or a prompt that AI Studio saved."""
    inner = item.get("chunkedPrompt") if isinstance(item, dict) else None
    found = _list(inner, "chunks") if isinstance(inner, dict) else _list(item, "contents")
    return turns_of(found, left_out)


def chatgpt(item: Any, left_out: Counter[str]) -> list[Turn]:
    """A tree of nodes, each with a message, and the one that the conversation ends at."""
    nodes = item.get("mapping") if isinstance(item, dict) else None
    if not isinstance(nodes, dict):
        raise ValueError("it holds no mapping of messages")
    found = branch(nodes, item.get("current_node"), parent="parent", time=_written)
    return [turn for node in found for turn in _chatgpt(node.get("message"), left_out)]


def _written(node: Mapping[str, Any]) -> Any:
    return (node.get("message") or {}).get("create_time")


def _chatgpt(message: Any, left_out: Counter[str]) -> Iterator[Turn]:
    """What was said and heard: calls of tools, thoughts and hidden messages are not."""
    if not isinstance(message, dict):
        return
    content = message.get("content") or {}
    kind, metadata = content.get("content_type"), message.get("metadata") or {}
    kind = "commentary" if message.get("channel") == "commentary" else kind
    recipient = message.get("recipient") or "all"
    if message.get("weight") == 0 or metadata.get("is_visually_hidden_from_conversation"):
        left_out["message that was hidden"] += 1
    elif recipient != "all":
        left_out[f"message to {recipient}"] += 1
        yield Turn(TOOL, "", finished=not recipient.startswith(_MAKERS))
    elif kind not in _SPOKEN:
        left_out[f"message of the kind {kind!r}"] += 1
        yield from turns_in(message, Counter(), content=None, parts=None)
    else:
        parts = content.get("parts")
        cut = metadata.get("finish_details")
        yield from turns_in(message, left_out, content=parts or [content], finish_details=cut)


def claude(item: Any, left_out: Counter[str]) -> list[Turn]:
    """`chat_messages`, each of which names the one before it; parts win over the text beside."""
    nodes, found = _tree(_list(item, "chat_messages"), "uuid", "parent_message_uuid")
    if nodes:
        current = item.get("current_leaf_message_uuid")
        found = branch(nodes, current, parent="parent_message_uuid")
    return [
        turn
        for one in found
        for turn in turns_in(one, left_out, content=one.get("content") or one.get("text"))
    ]


def librechat(item: Any, left_out: Counter[str]) -> list[Turn]:
    """`messages` in a row, or `messagesTree`, whose messages hold those that follow them."""
    flat = list(_flat(_list(item, "messagesTree", "messages")))
    nodes, found = _tree(flat, "messageId", "parentMessageId")
    if nodes:
        found = branch(nodes, None, parent="parentMessageId", time=lambda one: one.get("createdAt"))
    return [
        turn
        for one in found
        for turn in turns_in(
            one,
            left_out,
            role="user" if one.get("isCreatedByUser") else "assistant",
            content=one.get("content") or one.get("text"),
        )
    ]


def _flat(found: Sequence[Any]) -> Iterator[Any]:
    waiting = list(reversed(found))
    while waiting:
        yield (one := waiting.pop())
        children = one.get("children") if isinstance(one, dict) else None
        waiting += reversed(children if isinstance(children, list) else [])


def open_webui(item: Any, left_out: Counter[str]) -> list[Turn]:
    """The branch of `history` that ends at `currentId`, or the plain list where there is none."""
    chat = item.get("chat", item) if isinstance(item, dict) else None
    if not isinstance(chat, dict):
        raise ValueError("it holds no chat")
    history = chat.get("history") or {}
    nodes = history.get("messages")
    if not (isinstance(nodes, dict) and nodes):
        return turns_of(_list(chat, "messages"), left_out)
    found = branch(
        nodes,
        history.get("currentId"),
        parent="parentId",
        time=lambda one: one.get("timestamp"),
    )
    return turns_of(found, left_out)


def lm_studio(item: Any, left_out: Counter[str]) -> list[Turn]:
    """Messages in several versions, one of them selected; an answer is made of steps."""
    turns: list[Turn] = []
    for message in _list(item, "messages"):
        versions = message["versions"]
        at = message.get("currentlySelected") or 0
        version = versions[at if isinstance(at, int) and at < len(versions) else -1]
        for step in version.get("steps") or [version]:
            turns += _step(step, version, left_out)
    return turns


def _step(step: Any, version: Mapping[str, Any], left_out: Counter[str]) -> Iterator[Turn]:
    kind, style = step.get("type"), step.get("style") or {}
    if kind not in (None, "contentBlock", "singleStep"):
        left_out[f"part of the kind {kind!r}"] += 1
        yield from [Turn(TOOL, "")] if "tool" in str(kind).lower() else []
    elif style.get("type") == "thinking":
        left_out["part of reasoning"] += 1
    else:
        stats = (step.get("genInfo") or {}).get("stats") or {}
        facts = {"role": version.get("role"), "stopReason": stats.get("stopReason")}
        yield from turns_in(step, left_out, **facts)


def llm(item: Any, left_out: Counter[str]) -> list[Turn]:
    """Rows of `llm logs --json`, each a prompt and its response, gathered by conversation."""
    turns: list[Turn] = []
    for row in _list(item, "llm"):
        results = row.get("tool_results") and not row.get("prompt")
        turns.append(Turn(TOOL if results else USER, asked(str(row.get("prompt") or ""))))
        answer = plain(str(row.get("response") or ""))
        turns.append(Turn(ASSISTANT, answer))
        if row.get("tool_calls"):
            left_out["call of tools"] += 1
            turns.append(Turn(TOOL, ""))
    return turns


FORMATS: Final[Mapping[str, Reader]] = {
    "chatgpt": chatgpt,
    "claude": claude,
    "gemini": gemini,
    "librechat": librechat,
    "llm": llm,
    "lm-studio": lm_studio,
    "messages": messages,
    "open-webui": open_webui,
    "sharegpt": sharegpt,
}
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
    log = _log(file, items, name)
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


def is_comparison(item: Any) -> bool:
    """Whether a value holds two answers, the better one named."""
    return isinstance(item, dict) and any(
        (one is None or one in item) and other in item for one, other in _PAIRS
    )


def comparison(item: Any, left_out: Counter[str]) -> tuple[tuple[Turn, ...], str, str]:
    """The turns up to the question, the better answer and the worse; raises ValueError."""
    if not is_comparison(item):
        raise ValueError("it does not name a chosen and a rejected answer")
    one, other = next(p for p in _PAIRS if (p[0] is None or p[0] in item) and p[1] in item)
    before = _talk(_asked_in(item), left_out)
    if one is None:
        before, chosen = before[:-1], before[-1:]
    else:
        chosen = _talk(item[one], left_out, ASSISTANT)
    rejected = _talk(item[other], left_out, ASSISTANT)
    pairs = zip(chosen[:-1], rejected[:-1], strict=False)
    if same := len(list(takewhile(lambda pair: pair[0] == pair[1], pairs))):
        before, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    if not before or before[-1].role != USER:
        raise ValueError("it does not say what was asked")
    for answer in (chosen, rejected):
        if len(answer) != 1 or answer[0].role != ASSISTANT or not answer[0].finished:
            raise ValueError("its two answers are not one message of the assistant each")
    if chosen[0].text == rejected[0].text:
        raise ValueError("its two answers are the same")
    if any(_TEMPLATE.search(turn.text) for turn in (*before, *chosen, *rejected)):
        raise ValueError("it holds the marks of a chat template, not what was said")
    scores = item.get("score_chosen"), item.get("score_rejected")
    if all(isinstance(score, int | float) for score in scores) and scores[0] <= scores[1]:
        raise ValueError("its scores do not prefer the chosen answer")
    return before, chosen[0].text, rejected[0].text


def _asked_in(item: Mapping[str, Any]) -> Any:
    found = next(
        (item[name] for name in ("prompt", "messages", "conversations") if name in item), None
    )
    found = found if found is not None else item.get("input")
    if isinstance(found, dict):
        return found.get("messages") or []
    if "instruction" in item:  # Alpaca's: the input goes on from the instruction
        return "\n".join(part for part in (item["instruction"], item.get("input")) if part)
    return item.get("question") if found is None else found


def _talk(value: Any, left_out: Counter[str], role: str = USER) -> tuple[Turn, ...]:
    """The turns of a text, a message or a list of messages."""
    if isinstance(value, str):
        parts = _SPEAKER.split(value)
        if len(parts) > 2 and not parts[0].strip():  # Anthropic's: the whole talk is one text
            roles = {"Human": USER, "Assistant": ASSISTANT}
            said = zip(parts[1::2], parts[2::2], strict=True)
            return joined(Turn(roles[who], text) for who, text in said)
        return joined([Turn(role, plain(value) if role == ASSISTANT else asked(value))])
    if isinstance(value, dict):
        value = [value]
    return joined(turns_of(value if isinstance(value, list) else (), left_out))


def _list(item: Any, *names: str) -> list[Any]:
    """The list under the first of the names that is there."""
    found = next((item[name] for name in names if name in item), None) if item else None
    if not isinstance(found, list):
        raise ValueError(f"it holds no list of {names[0]}")
    return found


def _tree(found: list[Any], name: str, parent: str) -> tuple[dict[str, Any], list[Any]]:
    """The messages by their id, if they name those before them, and the messages in a row."""
    found = [one for one in found if isinstance(one, dict)]
    nodes = {one[name]: one for one in found if isinstance(one.get(name), str)}
    linked = len(nodes) == len(found) and any(one.get(parent) in nodes for one in found)
    return nodes if linked else {}, found


def _log(file: RowsFile, items: Rows, name: str) -> Log:
    """All that can be read of a file in the format `name`; the rest is named with its line."""
    talks: list[Conversation] = []
    compared: list[Comparison] = []
    left_out: Counter[str] = Counter()
    wanted = "comparison of two answers"
    wanted = wanted if name == PREFERENCE else f"conversation of the format {name}"
    for line, item in items:
        where = f"{file.path.name}:{line}"
        try:
            if name == PREFERENCE:
                compared.append(Comparison(where, *comparison(item, left_out)))
            else:
                talks.append(Conversation(where, joined(FORMATS[name](item, left_out))))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "its parts are of another kind"
            file.name(line, f"this is no {wanted}: {why}")
    return Log(name, tuple(talks), tuple(compared), file.malformed, left_out)


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
