"""Rows with a prompt and a reference: of RAGAS, LLaMA-Factory, ms-swift, verl, and anyone's own.

Reports whose rows stand within others are laid out as such a table first: DeepEval's test runs and
the logs of OpenAI's evals. So are frames that pandas wrote by column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from dlm.loops.edits import NewPair
from dlm.loops.proposals import Proposal
from dlm.loops.reports.columns import PROMPTS, REFERENCES, Columns, Row, snake
from dlm.loops.reports.prompts import question_of
from dlm.loops.reports.values import (
    Choices,
    Report,
    Tally,
    Unclear,
    answers_of,
    cell_number,
    list_of,
    object_of,
    objects_of,
    text_of,
)
from dlm.sources.rows_file import Rows, RowsFile

_NAMES: Final = ("name", "probe", "probe_name", "id", "case", "test", "sample_id")
_BESIDE: Final = ("image", "images", "audio", "audios", "video", "videos")  # what a prompt shows
# Where a test run of DeepEval keeps its cases: `.latest_test_run.json`, the results folder, and
# what `evaluate()` returns.
_CASES: Final = (
    ("testRunData", "testCases"),
    ("testRunData", "conversationalTestCases"),
    ("testCases",),
    ("conversationalTestCases",),
    ("test_results",),
)


def is_table(file: RowsFile) -> bool:
    """Whether the rows are objects of which some column holds a prompt."""
    rows = [_renamed(row) for _, row in file.rows[:50] if isinstance(row, dict)]
    return any(name.rpartition(".")[2] in PROMPTS for row in rows for name in row)


def read(file: RowsFile, choices: Choices, tool: str | None = None) -> Report:
    """One pair a row that did not pass; raises DlmError where it is not clear what is what."""
    rows: list[tuple[int, dict[str, Any]]] = []
    for index, (line, row) in enumerate(file.rows):
        if not isinstance(row, dict):
            what = "this line is not a JSON object" if file.syntax == "jsonl" else ""
            raise file.error(line, what or f"entry {index + 1} is not an object")
        rows.append((line, _renamed(row)))
    columns = Columns(
        [row for _, row in rows],
        choices,
        lambda what, hint: (replace(file, hint=hint) if hint else file).error(1, what),
    )
    tally = Tally(tool or columns.tool or "file", choices)
    for line, row in rows:
        name = str(next((row[key] for key in _NAMES if row.get(key)), f"line-{line}"))
        said = [text for key in columns.said for text in answers_of(row.get(key))]
        pair = partial(_pair, columns, line, row, name)
        tally.take(name, columns.verdicts(row), pair, None if choices.failed_when else said)
    if columns.presumed:
        tally.notes.append(columns.presumed)
    return tally.report()


def _pair(columns: Columns, line: int, row: Row, name: str) -> Proposal:
    """The pair of a row; raises Unclear where there is none."""
    try:
        question = _question(columns.prompts, row)
    except Unclear as error:
        raise Unclear(f"line {line}: {error}") from error
    answers = answers_of(row.get(columns.reference))
    if not answers:
        raise Unclear(f"line {line}: this row has no reference")
    sure = cell_number(row.get("confidence"))
    marks = {key: cell_number(row.get(key)) for key in dict.fromkeys(("score", *columns.scores))}
    scores = {key: mark for key, mark in marks.items() if mark is not None}
    how = f"{columns.reference} of line {line}"
    content = NewPair(question, answers[0])
    return Proposal(content, name, how, 1.0 if sure is None else sure, scores)


def _question(prompts: list[str], row: Row) -> str:
    if isinstance(row.get("history"), list) and row["history"]:
        raise Unclear(f"its question follows {len(row['history'])} turns of earlier talk")
    if held := next((key for key in _BESIDE if row.get(key)), None):
        raise Unclear(f"its prompt holds more than text ({held})")
    if {"instruction", "input"} <= set(prompts) and prompts[0] == "instruction":
        parts = [text for key in ("instruction", "input") if (text := text_of(row.get(key)))]
        if parts:
            return "\n\n".join(parts)
    values = [row.get(column) for column in prompts]
    asked = next((value for value in values if isinstance(value, list) or text_of(value)), None)
    chats = (value for value in values if isinstance(value, dict))
    return question_of(next(chats, None) if asked is None else asked)


def _renamed(row: Row) -> dict[str, Any]:
    """The row with its columns in one spelling, and objects within it by `outer.inner` too."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        found.setdefault(snake(str(key)), value)
        for inner, item in value.items() if isinstance(value, dict) else ():
            found.setdefault(f"{snake(str(key))}.{snake(str(inner))}", item)
    return found


def unwrapped(file: RowsFile) -> RowsFile:
    """The rows that stand alone under one key of an object, or by column, as those of the file."""
    whole = object_of(file.whole)
    for key in ("data", "rows", "examples", "samples", "results", "predictions"):
        rows = whole.get(key)
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            lines = [(file.line_of(key, 0) if len(rows) == 1 else 1, row) for row in rows]
            inner = replace(file, rows=lines, syntax="jsonl")
            if is_table(inner):
                return inner
    by_column = {snake(str(key)) for key in whole} & {*PROMPTS, *REFERENCES}
    parts = [list(part.values()) if isinstance(part, dict) else part for part in whole.values()]
    if isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list):
        table = [
            dict(zip(map(str, whole["columns"]), list_of(row), strict=False))
            for row in whole["data"]
        ]
    elif len(by_column) > 1 and all(isinstance(part, list) for part in parts):
        table = [dict(zip(whole, row, strict=False)) for row in zip(*parts, strict=False)]
    else:
        return file
    return replace(file, rows=[(1, row) for row in table], syntax="jsonl") if table else file


# DeepEval


def is_deepeval(file: RowsFile) -> bool:
    """Whether a file is a test run of DeepEval."""
    return any(isinstance(_at(file.whole, keys), list) for keys in _CASES)


def read_deepeval(file: RowsFile, choices: Choices) -> Report:
    """One pair a test case that failed and has an expected output."""
    found = [keys for keys in _CASES if isinstance(_at(file.whole, keys), list)]
    if not found:
        raise file.error(1, "a test run of DeepEval has a list 'testCases' or 'test_results'")
    rows: Rows = []
    for keys in found:
        for index, case in enumerate(_at(file.whole, keys)):
            if not isinstance(case, dict):
                line = file.line_of(*keys, index)
                raise file.error(line, f"test case {index + 1} is not an object")
            row = {key: value for key, value in case.items() if not isinstance(value, dict | list)}
            if isinstance(case.get("turns"), list):
                row["input"] = case["turns"]
            rows.append((index + 1, {**row, "passed": _deepeval_verdict(case)}))
    return _as_table(file, rows, choices, "DeepEval")


def _deepeval_verdict(case: Row) -> str:
    if case.get("success") is not False:
        return "pass" if case.get("success") else "error"
    metrics = objects_of(case.get("metricsData") or case.get("metrics_data"))
    failed = [each for each in metrics if not (each.get("success") or each.get("flaky"))]
    return "error" if failed and all(each.get("error") for each in failed) else "fail"


# OpenAI


def is_evals(file: RowsFile) -> bool:
    """Whether a file is a log of `oaieval`, or the output items of a run of the Evals API."""
    first = object_of(file.rows[0][1])
    items = first.get("data")
    if isinstance(items, list) and items:
        first = object_of(items[0])
    return (
        "datasource_item" in first
        or {"event_id", "sample_id", "type", "data"} <= first.keys()
        or "completion_fns" in object_of(first.get("spec"))
    )


def read_evals(file: RowsFile, choices: Choices) -> Report:
    """One pair a sample that did not match and has an expected answer."""
    items = object_of(file.whole).get("data")
    rows = list(enumerate(items, 1)) if isinstance(items, list) else file.rows
    for line, row in rows:
        if not isinstance(row, dict):
            raise file.error(line, "an entry of this log is not an object")
    if any("datasource_item" in row for _, row in rows):
        table = [(line, _output_item(row)) for line, row in rows]
    else:
        table = list(_samples(rows))
        if not (table or is_evals(file)):
            raise file.error(1, "a log of OpenAI's evals has events with 'sample_id' and 'type'")
    return _as_table(file, table, choices, "OpenAI evals")


def _output_item(item: Row) -> dict[str, Any]:
    """An item of the Evals API: what was asked, the row of the data source, and the status."""
    source, sample = object_of(item.get("datasource_item")), object_of(item.get("sample"))
    source = {**source, **object_of(source.get("item"))}
    asked = {"prompt": sample["input"]} if sample.get("input") else {}
    results = [each.get("passed") for each in objects_of(item.get("results"))]
    status = item.get("status") or ("fail" if False in results else "pass")
    return {
        **source,
        **asked,
        "passed": "error" if sample.get("error") else status,
        "id": item.get("id"),
    }


def _samples(events: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a log, joined by sample: what was asked, expected, and whether it matched."""
    samples: dict[str, tuple[int, dict[str, Any]]] = {}
    for line, event in events:
        data, kind = object_of(event.get("data")), event.get("type")
        if event.get("sample_id") is None:
            continue
        name = str(event["sample_id"])
        _, row = samples.setdefault(name, (line, {"id": name}))
        if kind == "sampling":
            row.setdefault("prompt", data.get("prompt"))
        elif kind == "match":
            row["expected"] = data.get("expected")
            right = bool(data.get("correct")) or row.get("passed") == "pass"
            row["passed"] = "pass" if right else "fail"
        elif kind == "metrics" and isinstance(data.get("score"), int | float):
            row.setdefault("passed", "pass" if data["score"] >= 1 else "fail")
        elif kind == "error":
            row.setdefault("passed", "error")
    yield from (found for found in samples.values() if "passed" in found[1])


def _as_table(file: RowsFile, rows: Rows, choices: Choices, tool: str) -> Report:
    return read(replace(file, rows=rows), choices, tool) if rows else Report(tool, 0, 0)


def _at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = object_of(value).get(key)
    return value
