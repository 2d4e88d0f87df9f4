"""Samples of lm-evaluation-harness (`--log_samples`): JSONL, one question and filter a line.

A question counts as failed when no filter and no metric found its answer right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dlm.loops.reports.source import ReportFile, number_of, text_of
from dlm.loops.reports.values import Recovered, Report, Unusable

_RIGHT: Final = (
    "acc",
    "acc_norm",
    "acc_bytes",
    "exact_match",
    "em",
    "exact",
    "contains",
    "f1",
    "mc1",
    "is_correct",
)
_QUESTION: Final = ("question", "query", "problem", "prompt", "input", "instruction", "ctx")


def read(file: ReportFile) -> Report:
    """One pair a question that failed; raises DlmError where a line is malformed."""
    asked: dict[str, list[Mapping[str, Any]]] = {}
    for line, row in file.json_lines():
        if "doc_id" not in row and "doc" not in row:
            raise file.malformed(line, "a sample of lm-evaluation-harness has a 'doc_id'")
        asked.setdefault(f"{row.get('doc_id', line)}", []).append(row)
    pairs: list[Recovered] = []
    unusable: list[Unusable] = []
    failing = 0
    for doc_id, rows in asked.items():
        scores = [score for row in rows for score in _scores(row).values()]
        if any(score >= 1 for score in scores):
            continue
        name = f"{file.path.stem}-{doc_id}"
        failing += 1
        found = _pair(rows[0], name) if scores else "no metric says whether an answer is right"
        if isinstance(found, Recovered):
            pairs.append(found)
        else:
            unusable.append(Unusable(name, found))
    tool = "lm-evaluation-harness"
    return Report(tool, len(asked), failing, tuple(pairs), unusable=tuple(unusable))


def _scores(row: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a sample that say right (1) or wrong, by name."""
    found: dict[str, float] = {}
    for name in _RIGHT:
        value = row.get(name)
        number = float(value) if isinstance(value, bool) else number_of(value)
        if number is not None:
            found[name] = number
    return found


def _pair(row: Mapping[str, Any], name: str) -> Recovered | str:
    requests = _requests(row.get("arguments"))
    if not requests or not (context := text_of(requests[0][0])):
        return "it records no request"
    target = row.get("target")
    choices = [text_of(continuation) for _, continuation in requests]
    how = "context and target of the sample"
    reference: str | None
    if len(requests) > 1 or (isinstance(target, int) and isinstance(requests[0][1], str)):
        chosen = _index(target, len(requests))
        if chosen is None:
            return f"its target {target!r} names none of its {len(requests)} choices"
        if len({request[0] for request in requests}) > 1:
            return "its choices stand in the context, so no question has a single answer"
        reference, how = choices[chosen], "context and right choice of the sample"
    else:
        targets = target if isinstance(target, list) else [target]
        reference = text_of(targets[0]) if targets else None
        if len(targets) > 1:
            how = f"context and first of {len(targets)} targets"
    if reference is None:
        return "its target is empty"
    return Recovered(_last_shot(context, row), reference, name, how, scores=_scores(row))


def _requests(arguments: object) -> list[tuple[object, object]]:
    """(context, continuation or settings) of each request, in either spelling of the file."""
    if isinstance(arguments, dict):
        arguments = [
            (value.get("arg_0"), value.get("arg_1"))
            for value in arguments.values()
            if isinstance(value, dict)
        ]
    if not isinstance(arguments, list):
        return []
    return [
        (item[0], item[1]) for item in arguments if isinstance(item, list | tuple) and len(item) > 1
    ]


def _index(target: object, choices: int) -> int | None:
    """Which choice the target is: its number, also when written as text."""
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, str) and target.strip().isdecimal():
        target = int(target)
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < choices:
        return target
    return None


def _last_shot(context: str, row: Mapping[str, Any]) -> str:
    """The context without the worked examples before the question, where that can be told."""
    recorded = row.get("doc")
    doc = recorded if isinstance(recorded, dict) else {}
    for key in _QUESTION:
        question = text_of(doc.get(key))
        at = context.rfind(question) if question else -1
        if at >= 0:
            before = context.rfind("\n\n", 0, at)
            return context[before + 2 :] if before >= 0 else context
    return context
