"""Which format a report is in, told by what it holds; the name of the file does not matter."""

from __future__ import annotations

import csv
import json
from typing import Any

from dlm.errors import DlmError
from dlm.loops.reports.plain import columns, delimiter
from dlm.loops.reports.source import ReportFile


def detect(file: ReportFile) -> str:
    """The name of the format; raises DlmError for text that is none of them, or broken JSON."""
    text = file.text.strip()
    if not text:
        raise file.malformed(1, "this report is empty")
    if text[0] == "[":
        return "jsonl"
    if text[0] != "{":
        header = next(csv.reader([text.split("\n", 1)[0]], delimiter=delimiter(text[:1000])), [])
        if columns(header):
            return "csv"
        raise file.malformed(
            1, "this is neither JSON nor a table with the columns prompt and reference"
        )
    first = _whole(text)
    if first is None:
        first = _first_line(text)
    if first is None:
        file.json()  # says where it is broken
    return _kind(file, first or {})


def _kind(file: ReportFile, first: dict[str, Any]) -> str:
    if "probes" in first:
        return "sway"
    if "results" in first:
        return "promptfoo"
    if "doc_id" in first or {"doc", "arguments"} <= first.keys():
        return "lm-eval"
    if columns(first):
        return "jsonl"
    raise _unknown(file)


def _whole(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _first_line(text: str) -> dict[str, Any] | None:
    """The first line of what may be JSONL."""
    return _whole(text.split("\n", 1)[0]) if "\n" in text else None


def _unknown(file: ReportFile) -> DlmError:
    return file.malformed(
        1, "this is no report of dlm-sway, promptfoo or lm-evaluation-harness, and no list of pairs"
    )
