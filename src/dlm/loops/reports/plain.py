"""Plain lists of prompt and reference: JSONL, a JSON list of objects, CSV or TSV.

Every row is a failure, unless it says that it passed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dlm.loops.reports.source import ReportFile, number_of, numbers, text_of
from dlm.loops.reports.values import Recovered, Report, Unusable

PROMPTS: Final = ("prompt", "question", "query", "input", "instruction")
REFERENCES: Final = (
    "reference",
    "reference_answer",
    "answer",
    "gold",
    "expected",
    "expected_answer",
    "expected_output",
    "ground_truth",
    "target",
    "output",
    "completion",
    "response",
)
_NAMES: Final = ("name", "probe", "probe_name", "id")
_VERDICTS: Final = ("passed", "pass", "success", "verdict", "status")
_PASSED: Final = ("pass", "passed", "ok", "true", "1", "yes", "success")

_Rows = Iterable[tuple[int, Mapping[str, Any]]]


def read_jsonl(file: ReportFile) -> Report:
    """Rows of a JSONL file, or of a file that is one JSON list; DlmError where it is malformed."""
    return _report(file, _json_rows(file))


def read_csv(file: ReportFile) -> Report:
    """Rows of a CSV or TSV file with a header; raises DlmError where it is malformed."""
    return _report(file, _csv_rows(file))


def columns(names: Iterable[object]) -> tuple[str, str] | None:
    """Which of these columns hold the prompt and the reference; None when one is missing."""
    known = {str(name).strip().lower(): str(name) for name in names}
    prompt = next((known[name] for name in PROMPTS if name in known), None)
    reference = next((known[name] for name in REFERENCES if name in known), None)
    return (prompt, reference) if prompt and reference else None


def delimiter(header: str) -> str:
    """What separates the columns of a header line."""
    return max(",;\t", key=header.count)


def _json_rows(file: ReportFile) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not file.text.lstrip().startswith("["):
        yield from file.json_lines()
        return
    for index, row in enumerate(file.json()):
        if not isinstance(row, dict):
            raise file.malformed(file.line_of(index), f"entry {index + 1} is not an object")
        yield index + 1, row


def _csv_rows(file: ReportFile) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header = file.text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(file.text, newline=""), delimiter=delimiter(header), strict=True
    )
    line = 0
    try:
        if columns(reader.fieldnames or ()) is None:
            what = "the first line names no column for the prompt, or none for the reference"
            raise file.malformed(1, what)
        line = reader.line_num
        for row in reader:
            yield line + 1, row
            line = reader.line_num
    except csv.Error as error:
        raise file.malformed(line + 1, f"this is not CSV: {error}") from error


def _report(file: ReportFile, rows: _Rows) -> Report:
    pairs: list[Recovered] = []
    unusable: list[Unusable] = []
    total = failing = 0
    for line, row in rows:
        total += 1
        values = {str(key).strip().lower(): value for key, value in row.items() if key}
        if _passed(values):
            continue
        failing += 1
        name = str(next((values[key] for key in _NAMES if values.get(key)), f"line-{line}"))
        prompt = next((found for key in PROMPTS if (found := text_of(values.get(key)))), None)
        reference = next((found for key in REFERENCES if (found := text_of(values.get(key)))), None)
        if prompt is None or reference is None:
            missing = "prompt" if prompt is None else "reference"
            unusable.append(Unusable(name, f"{file.path}:{line}: this row has no {missing}"))
            continue
        confidence = _number(values.get("confidence"))
        scores = numbers({"score": _number(values.get("score"))}, "score")
        how = f"row at line {line}"
        sure = 1.0 if confidence is None else confidence
        pairs.append(Recovered(prompt, reference, name, how, sure, scores))
    return Report("file", total, failing, tuple(pairs), unusable=tuple(unusable))


def _passed(values: Mapping[str, Any]) -> bool:
    stated = next((values[key] for key in _VERDICTS if values.get(key) not in (None, "")), None)
    return str(stated).strip().lower() in _PASSED


def _number(value: object) -> float | None:
    """A number, also as text, as CSV holds it."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number_of(value)
