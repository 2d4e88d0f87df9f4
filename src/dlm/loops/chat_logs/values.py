"""What a chat log holds, as plain values. Knows no format and no document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

USER: Final = "user"
ASSISTANT: Final = "assistant"
TOOL: Final = "tool"


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
