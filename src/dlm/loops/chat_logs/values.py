"""What a chat log holds, as plain values. Knows no format and no document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

USER: Final = "user"
ASSISTANT: Final = "assistant"


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user or the assistant said; not `finished` when it was stopped or cut off."""

    role: str
    text: str
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns of one conversation, user and assistant in turn; `where` is its file and line."""

    where: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """The conversations of one file; `malformed` names the parts that are none, with their line."""

    format: str
    conversations: tuple[Conversation, ...]
    malformed: tuple[str, ...] = ()


def joined(turns: list[Turn]) -> tuple[Turn, ...]:
    """The turns without empty ones; what one role said in several goes is one turn."""
    found: list[Turn] = []
    for turn in turns:
        if not turn.text.strip():
            continue
        if found and found[-1].role == turn.role:
            before = found.pop()
            turn = Turn(turn.role, f"{before.text}\n\n{turn.text.strip()}", turn.finished)
        found.append(Turn(turn.role, turn.text.strip(), turn.finished))
    return tuple(found)
