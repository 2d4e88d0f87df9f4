"""What a teacher wrote, read as pairs: tolerant of its grammar, never raising.

Reads `### Q` / `### A`, `Q:` / `A:` with or without numbers and bold, `**Question:**`, and JSON.
The good part of a damaged completion is kept; what is left out is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dlm.text.cleaning import clean, split_reasoning
from dlm.text.sentences import pieces
from dlm.text.words import one_line

LONGEST_QUESTION: Final = 400  # characters
LONGEST_ANSWER: Final = 4000
_MOST_ANSWER_LINES: Final = 60
_MOST_PAIRS: Final = 64  # of one completion; a teacher that writes more has lost the thread

_CODE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_BULLET: Final = r"[ \t]{0,3}(?:[-*•>][ \t]+)*(?:\d{1,3}[.)][ \t]*)?"
_HEADER: Final = re.compile(
    rf"{_BULLET}(?P<marks>\#{{1,6}}[ \t]*)?(?P<bold>\*\*|__)?[ \t]*(?:\d{{1,3}}[.)][ \t]*)?"
    r"(?P<word>Question|QUESTION|question|Answer|ANSWER|answer|Q|A|q|a)"
    r"(?:[ \t]*\#?\d{1,3})?[ \t]*(?P<mark>![a-z]+)?(?P<end>[ \t]*[:：.)][ \t]*(?:\*\*|__)?|"
    r"(?:\*\*|__)[ \t]*[:：]?|[ \t]*$)(?P<rest>[^\n]*)\Z"
)
_LABEL: Final = re.compile(r"\W*(?:request|instruction|prompt|question)\W*?[:：]\s*", re.IGNORECASE)
_RULE: Final = re.compile(r"[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*\Z")
_ENDED: Final = re.compile(r"[.!?…:;)\]}\"'`»”’%]\Z")

_QUESTIONS: Final = ("question", "q", "instruction", "prompt", "request")
_ANSWERS: Final = ("answer", "a", "response", "output", "completion")
_DEEPEST: Final = 4
_MOST_STARTS: Final = 500  # objects tried; bounds the work on hostile text


@dataclass(frozen=True, slots=True)
class Parsed:
    """The pairs of one completion, in its order, and why the rest of it was left out."""

    pairs: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...] = ()
    reasoning: str = ""


def parse_pairs(completion: str) -> Parsed:
    """Read a completion as question–answer pairs; an unreadable one gives none and a reason."""
    reasoning, said = split_reasoning(clean(completion))
    found, dropped = _json_pairs(said), list[str]()
    if not found:
        found, dropped = _written(_unwrapped(said))
    pairs: list[tuple[str, str]] = []
    for question, answer in found:
        question, answer = _plain(one_line(question)), _tidy(answer)
        reason = _unusable(question, answer)
        if reason:
            dropped.append(reason)
        elif len(pairs) < _MOST_PAIRS:
            pairs.append((question, answer))
        else:
            dropped.append(f"more than {_MOST_PAIRS} pairs in one completion")
            break
    if not pairs and not dropped:
        dropped = ["nothing in it reads as a question and its answer"]
    return Parsed(tuple(pairs), tuple(dropped), reasoning)


def parse_request(completion: str, text: str) -> Parsed:
    """Read a completion as the request that `text` answers: its first line, without a label."""
    reasoning, said = split_reasoning(clean(completion))
    lines = (line for line in _unwrapped(said).split("\n") if re.search(r"\w", line))
    line = next(lines, "").strip(" \t#*->`")
    label = _LABEL.match(line)
    request = one_line(line[label.end() :].lstrip("*_ ") if label else line)
    if len(request) > 1 and request[0] in "\"“'" and request[-1] in "\"”'":
        request = request[1:-1].strip()
    if not request:
        return Parsed((), ("an empty request",), reasoning)
    return Parsed(((request, text),), (), reasoning)


def _json_pairs(text: str) -> list[tuple[str, str]]:
    """Every object of `text` that holds a question and an answer, in order; [] when none does.

    Looks at objects one by one, so that what follows a damaged one is still found.
    """
    if "{" not in text:
        return []
    return [pair for value in _objects(text) for pair in _held(value, 0)]


def _objects(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    for _ in range(_MOST_STARTS):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _held(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from _held(item, depth + 1)
    elif isinstance(value, dict):
        named = {str(key).strip().lower(): item for key, item in value.items()}
        question, answer = _first(named, _QUESTIONS), _first(named, _ANSWERS)
        if question is not None and answer is not None:
            yield question, answer
            return
        for item in value.values():
            yield from _held(item, depth + 1)


def _first(named: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = named.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None


def _unwrapped(text: str) -> str:
    """The inside of a code block that holds the whole completion."""
    lines = text.strip().split("\n")
    opening = _CODE.match(lines[0])
    if not opening:
        return text
    last = -1 if lines[-1].strip() == opening[1] else len(lines)
    return "\n".join(lines[1:last])


def _written(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs under headers. A header inside a code block that an answer closes is code."""
    pairs: list[tuple[str, str]] = []
    dropped: list[str] = []
    question: str | None = None
    last_answer = False
    for word, body in _parts(text.split("\n")):
        if word == "Q":
            if question is not None:
                dropped.append("a question without an answer")
            question = body
        elif question is None:
            dropped.append("an answer without a question")
        else:
            pairs.append((question, body))
            question = None
        last_answer = word == "A"
    if question is not None:
        dropped.append("a question without an answer")
    if pairs and last_answer:
        pairs[-1] = (pairs[-1][0], _whole_sentences(pairs[-1][1]))
    return pairs, dropped


def _parts(lines: list[str]) -> Iterator[tuple[str, str]]:
    """("Q" or "A", the text below that header), for every header."""
    word, body = "", list[str]()
    code_until = -1
    for number, line in enumerate(lines):
        header = _HEADER.match(line) if number > code_until else None
        if header and _is_header(header):
            if word:
                yield word, "\n".join(body)
            word, body = header["word"][0].upper(), [header["rest"].strip()]
            continue
        if number > code_until and word == "A" and (opening := _CODE.match(line)):
            code_until = _code_end(lines, number, opening[1])
        body.append(line)
    if word:
        yield word, "\n".join(body)


def _is_header(header: re.Match[str]) -> bool:
    """`A` alone on a line is no header, nor is `a)`; `### A`, `A:` and `**Answer**` are."""
    end = header["end"].strip()
    if header["marks"]:
        return not header["rest"] or bool(end) or len(header["word"]) == 1
    if header["bold"]:
        return bool(end)
    numbered = header.group(0)[header.start("end") - 1].isdigit()
    return end[:1] in (":", "：") or (numbered and end[:1] in (".", ")"))


def _code_end(lines: list[str], start: int, fence: str) -> int:
    """The number of the line that closes a code block, or `start` when none does."""
    for number in range(start + 1, min(len(lines), start + 400)):
        stripped = lines[number].strip()
        if stripped and set(stripped) == {fence[0]} and len(stripped) >= len(fence):
            return number
    return start


def _plain(question: str) -> str:
    """The question without the bold marks around it."""
    for mark in ("**", "__"):
        if question.count(mark) == 1 or (question.startswith(mark) and question.endswith(mark)):
            question = question.removeprefix(mark).removesuffix(mark).strip()
    return question


def _tidy(answer: str) -> str:
    """The answer without outer blank lines, rules and stray fences at its end."""
    lines = [line.rstrip() for line in answer.split("\n")]
    while lines and (not lines[0].strip() or _RULE.match(lines[0])):
        lines.pop(0)
    while lines and (not lines[-1].strip() or _RULE.match(lines[-1]) or _is_stray(lines)):
        lines.pop()
    return "\n".join(lines).strip()


def _is_stray(lines: list[str]) -> bool:
    fences = [line for line in lines if _CODE.match(line)]
    return len(fences) % 2 == 1 and bool(_CODE.match(lines[-1]))


def _whole_sentences(answer: str) -> str:
    """A completion may be cut at its last token: a long last answer ends at its last full stop."""
    text = answer.rstrip()
    if _ENDED.search(text) or len(text.split()) < 8:
        return answer
    *whole, _ = pieces(text)
    return "".join(whole).rstrip()


def _unusable(question: str, answer: str) -> str | None:
    if not question:
        return "an empty question"
    if not answer:
        return "an empty or cut answer"
    if len(question) > LONGEST_QUESTION:
        return f"a question of {len(question):,} characters"
    if len(answer) > LONGEST_ANSWER or answer.count("\n") >= _MOST_ANSWER_LINES:
        return f"an answer of {len(answer):,} characters"
    return None
