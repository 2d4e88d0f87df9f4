"""Questions and answers from CSV, TSV, JSON and JSONL, as trainers write them, as pairs.

A row is a prompt with its completion under one of the usual names, or a conversation. Of a
conversation the first exchange becomes a pair: what follows answers to what was said before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dlm.doc.render import render_pair, render_section
from dlm.doc.sections import SectionType
from dlm.errors import DocumentError
from dlm.sources.imported import Imported, lines_named
from dlm.sources.rows_file import RowsFile, read_rows

_HINT: Final = (
    "a row holds prompt and completion (or question and answer, instruction and output), or "
    "messages with the roles user and assistant"
)
_NAMES: Final = (
    ("prompt", "completion"),
    ("question", "answer"),
    ("instruction", "output"),
    ("prompt", "response"),
    ("instruction", "response"),
    ("question", "response"),
    ("input", "output"),
    ("query", "response"),
    ("query", "answer"),
    ("prompt", "answer"),
    ("user", "assistant"),
    ("q", "a"),
    ("front", "back"),
)
_MORE: Final = ("input", "context")  # what an instruction is about
_CONVERSATIONS: Final = ("messages", "conversations", "conversation")
_ROLES: Final = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}
_NAMED: Final = 5


class _Unusable(Exception):
    """Why a row cannot become a pair."""


def from_rows(path: Path, data: bytes) -> Imported:
    """The pairs of a file as one section; raises DlmError when no row of it gives one."""
    file = read_rows(path, "file of pairs", hint=_HINT, lenient=True)
    pairs: dict[tuple[str, str], str] = {}
    repeated: list[tuple[int, int]] = []
    longer: list[tuple[int, int]] = []
    for line, row in file.rows:
        try:
            question, answer, more = _pair(row)
            if (question, answer) in pairs:
                repeated.append((line, line))
                continue
            pairs[question, answer] = render_pair(question, answer)
        except (_Unusable, DocumentError) as error:
            file.name(line, str(error))
            continue
        if more:
            longer.append((line, line))
    if not pairs:
        line, why = sorted(file.broken)[0]
        raise file.error(line, f"no row of this file gives a pair: {why}")
    body = render_section(SectionType.INSTRUCTION, "\n".join(pairs.values()))
    return Imported(body, tuple(_notes(file, repeated, longer)), sections=True)


def _notes(
    file: RowsFile, repeated: list[tuple[int, int]], longer: list[tuple[int, int]]
) -> list[str]:
    name = file.path
    notes = list(file.notes)
    broken = sorted(file.broken)
    notes += [f"left out: {name}:{line}: {why}" for line, why in broken[:_NAMED]]
    if len(broken) > _NAMED:
        notes.append(f"left out of {name}: {len(broken) - _NAMED} more rows of {len(file.rows)}")
    if repeated:
        notes.append(f"left out of {name}, as the same stands above: {lines_named(repeated)}")
    if longer:
        notes.append(
            f"taken from {name}: the first question and answer of {len(longer)} longer "
            f"conversations ({lines_named(longer)})"
        )
    return notes


def _pair(row: Any) -> tuple[str, str, bool]:
    """Question, answer, and whether the conversation went on."""
    if not isinstance(row, Mapping):
        if isinstance(row, list):
            return _first_exchange(row)
        raise _Unusable("this row is no object")
    values = {str(key).strip().lower(): value for key, value in row.items()}
    for name in _CONVERSATIONS:
        if isinstance(values.get(name), list):
            return _first_exchange(values[name])
    for asked, answered in _NAMES:
        if asked in values and answered in values:
            question, answer = _text(values[asked]), _text(values[answered])
            if not question.strip():
                raise _Unusable(f"its {asked} is empty")
            if not answer.strip():
                raise _Unusable(f"its {answered} is empty")
            return _with_input(question, asked, values), answer, False
    names = ", ".join(list(values)[:6]) or "no columns"
    raise _Unusable(f"there is no question with an answer in it, only {names}")


def _with_input(question: str, asked: str, values: Mapping[str, Any]) -> str:
    if asked != "instruction":
        return question
    given = next((_text(values[name]) for name in _MORE if values.get(name)), "")
    return f"{question.rstrip()}\n\n{given.strip()}" if given.strip() else question


def _first_exchange(messages: Sequence[Any]) -> tuple[str, str, bool]:
    turns = []
    for message in messages:
        if not isinstance(message, Mapping):
            raise _Unusable("one of its messages is no object")
        role = str(message.get("role") or message.get("from") or "").lower()
        text = _text(message.get("content", message.get("value")))
        turns.append((_ROLES.get(role, role), text))
    turns = [turn for turn in turns if turn[0] in ("user", "assistant")]
    if len(turns) < 2 or [role for role, _ in turns[:2]] != ["user", "assistant"]:
        raise _Unusable("its messages do not begin with user and assistant")
    (_, question), (_, answer) = turns[:2]
    if not question.strip() or not answer.strip():
        raise _Unusable("its first question or answer is empty")
    return question, answer, len(turns) > 2


def _text(value: Any) -> str:
    """The text of a value: a string, a number, the parts of a message, or its one message."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text, value)))
    if isinstance(value, Mapping):
        inner = value.get("text", value.get("content"))
        return _text(inner) if not isinstance(inner, Mapping) else ""
    return ""
