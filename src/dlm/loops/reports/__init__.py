"""Reports of evaluation tools, read into plain values: one small reader a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.loops.reports import lm_eval, plain, promptfoo, sway
from dlm.loops.reports.completion import Recovery, complete
from dlm.loops.reports.detection import detect
from dlm.loops.reports.source import ReportFile
from dlm.loops.reports.values import Preferred, Recovered, Report, Unusable, WeakSection

__all__ = [
    "FORMATS",
    "Preferred",
    "Recovered",
    "Recovery",
    "Report",
    "Unusable",
    "WeakSection",
    "complete",
    "read_report",
]

FORMATS: Final[Mapping[str, Callable[[ReportFile], Report]]] = {
    "sway": sway.read,
    "promptfoo": promptfoo.read,
    "lm-eval": lm_eval.read,
    "jsonl": plain.read_jsonl,
    "csv": plain.read_csv,
}


def read_report(path: Path, format: str | None = None) -> Report:
    """What the report at `path` says, in the format given or else found out.

    Raises DlmError, naming file and line, for a report that is missing or malformed.
    """
    if format is not None and format not in FORMATS:
        known = ", ".join(FORMATS)
        raise DlmError(f"there is no report format {format!r}", hint=f"it is one of {known}")
    file = ReportFile.read(path)
    return FORMATS[format or detect(file)](file)
