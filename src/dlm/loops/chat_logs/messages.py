"""What a chat log holds, as plain values, and one message of any chat program or API as one.

Knows no file: which messages one holds, and where, is for `formats`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dlm.loops.chat_logs.text import asked, plain

USER: Final = "user"
ASSISTANT: Final = "assistant"
TOOL: Final = "tool"

_TRAFFIC: Final = (
    "tool", "tools", "tool_call", "tool_response", "tool_result", "function", "function_call",
    "function_response", "observation", "ipython",
)  # fmt: skip
_ROLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("user", "human", "prompter", "customer"), USER),
    **dict.fromkeys(
        ("assistant", "gpt", "chatgpt", "model", "bot", "chatbot", "ai", "gemini"), ASSISTANT
    ),
    **dict.fromkeys(_TRAFFIC, TOOL),
}
_TEXTS: Final = ("text", "input_text", "output_text", "audio_transcription", "voice_note")
_CUT: Final = {
    "length", "max_tokens", "content_filter", "error", "safety", "recitation", "blocklist",
    "prohibited_content", "userstopped", "maxpredictedtokensreached", "contextlengthreached",
    "failed", "interrupted", "aborted", "cancelled", "in_progress", "finished_partial_completion",
}  # fmt: skip
_MAKERS: Final = {"artifacts", "create_file", "image_gen"}  # tools whose work is the answer
_REASONS: Final = ("finish_reason", "finishReason", "stop_reason", "stopReason", "status")


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user or the assistant said; one of a TOOL says only that a tool was at work.

    Not `finished` is what was stopped, cut off, or marked by its file as not to be learned, and a
    tool whose work, such as a canvas, is the answer.
    """

    role: str
    text: str
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns of one conversation, user and assistant in turn; `where` is its file and line."""

    where: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to the last of `turns`, of which a file says that the first is the better."""

    where: str
    turns: tuple[Turn, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Log:
    """What one file holds; `malformed` names the parts that are none of it, with their line.

    `left_out` counts, by kind, the messages that neither the user nor the assistant wrote to the
    other.
    """

    format: str
    conversations: tuple[Conversation, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    malformed: tuple[str, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)


def joined(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """What was said, user and assistant in turn; what one of them said in several goes is one turn.

    What an assistant says before it calls a tool announces that call, and what it says after it is
    the answer. Left out is a question that was never answered, and an answer to nothing, as to a
    picture.
    """
    found: list[Turn] = []
    silent: set[str] = set()  # who had a turn, and said nothing in it, since the last text
    elsewhere = False  # whether a tool holds the answer
    for turn in turns:
        text, last = turn.text.strip(), found[-1].role if found else ASSISTANT
        elsewhere = (elsewhere or not turn.finished) if turn.role == TOOL else elsewhere
        if turn.role == TOOL or not text:
            silent.add(turn.role)
            continue
        elsewhere = elsewhere and turn.role == ASSISTANT
        if turn.role == ASSISTANT and USER in silent and last == ASSISTANT:
            continue
        if found and last == turn.role:
            before = found.pop()
            if turn.role == ASSISTANT and TOOL not in silent:
                text = f"{before.text}{_between(before.text, turn.text)}{text}"
            elif turn.role == USER and not silent - {USER}:
                text = f"{before.text}\n\n{text}"
        elif TOOL in silent:
            _spoil(found)
        found.append(Turn(turn.role, text, turn.finished and not elsewhere))
        silent.clear()
    if TOOL in silent:
        _spoil(found)
    return tuple(found)


def _spoil(found: list[Turn]) -> None:
    """Mark the last answer as unfinished: a tool was called after it, and nothing came of that."""
    if found and found[-1].role == ASSISTANT:
        found[-1] = replace(found[-1], finished=False)


def _between(before: str, after: str) -> str:
    """A new paragraph, or a space where a sentence goes on in the next part."""
    if before.rstrip()[-1:] in ".!?:…)`*|" or after[:1] in "\n#-*`|":
        return "\n\n"
    return "" if after.lstrip()[:1] in ".,;:!?)" else " "


def turns_of(messages: Iterable[Any], left_out: Counter[str]) -> list[Turn]:
    """What the messages say, in order; those of another kind are counted in `left_out`."""
    return [turn for one in messages for turn in turns_in(one, left_out)]


def turns_in(message: Any, left_out: Counter[str], **facts: Any) -> Iterator[Turn]:
    """The turns of one message, whose keys are those of any API; `facts` go before them.

    Of a message that says nothing the turn is empty.
    """
    if not isinstance(message, dict):
        left_out["message that is no object"] += 1
        return
    message = message | facts
    said = _first(message, "role", "from", "sender", "author", "type")
    role = role_of(said)
    if role is None or role == TOOL:
        left_out[f"message of the role {said!r}"] += 1
        yield from [Turn(TOOL, "")] if role else []
        return
    if message.get("isThought") or message.get("thought"):
        left_out["message of reasoning"] += 1
        yield Turn(role, "")
        return
    cited = any(message.get(name) for name in ("sources", "citations", "annotations"))
    found = []
    for kind, text in pieces(_first(message, "content", "value", "parts", "text")):
        if kind == TOOL:
            found.append(Turn(TOOL, "", finished=text not in _MAKERS))
        elif kind != "text":
            left_out[f"part of the kind {kind!r}"] += 1
        elif not message.get("error"):
            words = plain(text, cited=cited) if role == ASSISTANT else asked(text)
            whole = _finished(message) and "<antArtifact" not in text
            found.append(Turn(role, words, whole))
    if message.get("tool_calls") or message.get("function_call"):
        found.append(Turn(TOOL, ""))
    yield from found or [Turn(role, "")]


def role_of(name: Any) -> str | None:
    """Who speaks, by the name that any chat program has for it; None for names of nobody."""
    return _ROLES.get(str(name).lower())


def pieces(content: Any) -> Iterator[tuple[str, str]]:
    """The parts of a content: each its kind, `text`, `tool` or another, and its text."""
    if isinstance(content, str):
        yield "text", content
    elif isinstance(content, dict) and isinstance(content.get("parts"), list):
        yield from pieces(content["parts"])
    elif isinstance(content, dict):
        yield from pieces([content])
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            yield "text", part
        elif isinstance(part, dict):
            yield from _piece(part)


def _piece(part: dict[str, Any]) -> Iterator[tuple[str, str]]:
    text = part.get("text")
    text = text.get("value") if isinstance(text, dict) else text
    kind = part.get("type") or part.get("content_type")
    if kind is None:  # Gemini names a part by its only key
        names = [name for name in part if name not in ("thought", "thoughtSignature", "metadata")]
        kind = "text" if isinstance(text, str) else (names or ["nothing"])[0]
    lower = str(kind).lower()
    if part.get("thought") is True or part.get("isThought"):
        yield "thought", ""
    elif lower in _TEXTS and isinstance(text, str):
        yield "text", text
    elif any(word in lower for word in ("tool", "function", "executable", "codeexecution")):
        yield TOOL, str(part.get("name") or "")
    else:
        yield str(kind), ""


def _finished(message: Mapping[str, Any]) -> bool:
    """Whether an answer came to its end, and may be learned."""
    details = message.get("finish_details")
    reasons = [message.get(name) for name in _REASONS]
    reasons.append(details.get("type") if isinstance(details, dict) else details)
    return not (
        message.get("done") is False
        or message.get("weight") == 0
        or message.get("unfinished")
        or message.get("truncated") is True
        or _is_disliked(message)
        or any(str(reason).lower() in _CUT for reason in reasons)
    )


def _is_disliked(message: Mapping[str, Any]) -> bool:
    """Whether the user marked an answer as bad, in Open WebUI or LibreChat."""
    marks = (message.get("annotation"), message.get("feedback"))
    ratings = [mark.get("rating") for mark in marks if isinstance(mark, dict)]
    return any(rating in (-1, "-1", "thumbsDown") for rating in ratings)


def _first(message: Mapping[str, Any], *names: str) -> Any:
    """The first value that is there; of an author, the role."""
    found = next((message[name] for name in names if message.get(name) not in (None, [])), None)
    if isinstance(found, dict) and "role" in found:
        return found["role"]
    return found


def branch(
    nodes: Mapping[str, Any],
    current: Any,
    *,
    parent: str,
    time: Callable[[Any], Any] = lambda node: node.get("created_at"),
) -> list[Any]:
    """The nodes from the root to `current`, or to the leaf that came last where that is not named.

    Raises ValueError for a tree that runs in a circle.
    """
    inner = {node.get(parent) for node in nodes.values()}
    leaves = [name for name in nodes if name not in inner] or list(nodes)
    places = {name: place for place, name in enumerate(nodes)}
    last = max(leaves, key=lambda name: (_moment(time(nodes[name])), places[name]), default=None)
    at = current if current in nodes else last
    found: list[Any] = []
    seen: set[str] = set()
    while isinstance(at, str) and at in nodes:
        if at in seen:
            raise ValueError("its messages run in a circle")
        seen.add(at)
        found.append(nodes[at])
        at = nodes[at].get(parent)
    return found[::-1]


def _moment(value: Any) -> tuple[float, str]:
    """A time as it compares: seconds, or the text of an ISO date."""
    if isinstance(value, int | float):
        return float(value), ""
    return 0.0, value if isinstance(value, str) else ""
