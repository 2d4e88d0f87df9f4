"""Reports whose rows stand within others: DeepEval's test runs and the logs of OpenAI's evals.

Each is laid out as a table of prompt, reference and verdict, and read as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from dlm.loops.reports import tables
from dlm.loops.reports.values import NO_CHOICES, Choices, Report
from dlm.loops.rows_file import Rows, RowsFile

_Row = Mapping[str, Any]
# Where a test run of DeepEval keeps its cases: `.latest_test_run.json`, the results folder, and
# what `evaluate()` returns.
_CASES: Final = (("testRunData", "testCases"), ("testCases",), ("test_results",))


def is_deepeval(file: RowsFile) -> bool:
    """Whether a file is a test run of DeepEval."""
    return any(isinstance(_at(file.whole, keys), list) for keys in _CASES)


def is_evals(file: RowsFile) -> bool:
    """Whether a file is a log of `oaieval`, or the output items of a run of the Evals API."""
    first = file.rows[0][1]
    if not isinstance(first, dict):
        return False
    items = first.get("data")
    if isinstance(items, list) and items and isinstance(items[0], dict):
        first = items[0]
    return (
        "datasource_item" in first
        or {"event_id", "sample_id", "type", "data"} <= first.keys()
        or "completion_fns" in (_object(first.get("spec")))
    )


def read_deepeval(file: RowsFile, choices: Choices = NO_CHOICES) -> Report:
    """One pair a test case that failed and has an expected output."""
    keys = next((keys for keys in _CASES if isinstance(_at(file.whole, keys), list)), None)
    if keys is None:
        raise file.error(1, "a test run of DeepEval has a list 'testCases' or 'test_results'")
    rows: Rows = []
    for index, case in enumerate(_at(file.whole, keys)):
        if not isinstance(case, dict):
            raise file.error(file.line_of(*keys, index), f"test case {index + 1} is not an object")
        row = {key: value for key, value in case.items() if not isinstance(value, dict | list)}
        rows.append((index + 1, {**row, "passed": _deepeval_verdict(case)}))
    return _as_table(file, rows, choices, "DeepEval")


def _deepeval_verdict(case: _Row) -> str:
    if case.get("success") is not False:
        return "pass"
    metrics = case.get("metricsData") or case.get("metrics_data") or ()
    failed = [each for each in metrics if isinstance(each, dict) and not each.get("success")]
    return "error" if failed and all(each.get("error") for each in failed) else "fail"


def read_evals(file: RowsFile, choices: Choices = NO_CHOICES) -> Report:
    """One pair a sample that did not match and has an expected answer."""
    whole = file.whole
    items = whole.get("data") if isinstance(whole, dict) else None
    listed = list(enumerate(items, 1)) if isinstance(items, list) else file.rows
    for line, row in listed:
        if not isinstance(row, dict):
            raise file.error(line, "an entry of this log is not an object")
    if any("datasource_item" in row for _, row in listed):
        rows = [(line, _output_item(row)) for line, row in listed]
    else:
        rows = list(_samples(listed))
    return _as_table(file, rows, choices, "OpenAI evals")


def _output_item(item: _Row) -> dict[str, Any]:
    """An item of the Evals API: what was asked, the row of the data source, and the status."""
    source, sample = _object(item.get("datasource_item")), _object(item.get("sample"))
    source = {**source, **_object(source.get("item"))}
    asked = {"prompt": sample["input"]} if sample.get("input") else {}
    status = str(item.get("status") or "")
    if sample.get("error"):
        status = "error"
    return {**source, **asked, "passed": status, "id": item.get("id")}


def _samples(events: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a log, joined by sample: what was asked, expected, and whether it matched."""
    samples: dict[str, tuple[int, dict[str, Any]]] = {}
    for line, event in events:
        data, kind = _object(event.get("data")), event.get("type")
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
    if not rows:
        return Report(tool, 0, 0)
    return tables.read(replace(file, rows=rows), choices, tool)


def _at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = _object(value).get(key)
    return value


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
