"""Reports of evaluation tools, read into plain values: one small reader a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.loops.reports import lm_eval, promptfoo, sway, tables
from dlm.loops.reports.values import NO_CHOICES, Choices, Report
from dlm.sources.rows_file import RowsFile, read_rows

__all__ = ["FORMATS", "Choices", "Report", "read_report"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is told from the others, and read; `choices` are those of use to its reader."""

    is_it: Callable[[RowsFile], bool]
    read: Callable[[RowsFile, Choices], Report]
    choices: tuple[str, ...] = ()


_ALL: Final = ("prompt_field", "reference_field", "failed_when", "provider")

# In the order they are tried: what is told by one key first, tables of anyone's last.
FORMATS: Final[Mapping[str, Format]] = {
    "sway": Format(sway.is_it, sway.read),
    "lm-eval": Format(lm_eval.is_it, lm_eval.read),
    "promptfoo": Format(
        promptfoo.is_it, promptfoo.read, ("prompt_field", "reference_field", "provider")
    ),
    "deepeval": Format(tables.is_deepeval, tables.read_deepeval, _ALL),
    "openai-evals": Format(tables.is_evals, tables.read_evals, _ALL),
    "jsonl": Format(lambda file: file.syntax != "csv" and tables.is_table(file), tables.read, _ALL),
    "csv": Format(lambda file: file.syntax == "csv" and tables.is_table(file), tables.read, _ALL),
}
_KNOWN: Final = (
    "dlm-sway, promptfoo, lm-evaluation-harness, DeepEval, OpenAI evals, or rows with a prompt and "
    "a reference (RAGAS, LLaMA-Factory, ms-swift, verl, your own)"
)


def read_report(path: Path, format: str | None = None, choices: Choices = NO_CHOICES) -> Report:
    """What the report at `path` says, in the format given or else found out.

    Raises DlmError, naming file and line, for a report that is missing or malformed, or that does
    not say what is what.
    """
    if format is not None and format not in FORMATS:
        known = ", ".join(FORMATS)
        raise DlmError(f"there is no report format {format!r}", hint=f"it is one of {known}")
    hint = f"write it anew, as one of what is known: {_KNOWN}"
    file = tables.unwrapped(read_rows(path, "report", hint=hint))
    name = format or next((name for name, each in FORMATS.items() if each.is_it(file)), None)
    if name is None and choices.prompt_field and isinstance(file.rows[0][1], dict):
        name = "jsonl"
    if name is None:
        raise _unknown(file)
    useless = [
        each
        for each in _ALL
        if getattr(choices, each) is not None and each not in FORMATS[name].choices
    ]
    if useless:
        option = "--" + useless[0].replace("_", "-")
        raise DlmError(
            f"{option} is of no use for {path}, a report of {name}",
            hint="leave it out, or read the rows as a table with --format jsonl or csv",
        )
    report = FORMATS[name].read(file, choices)
    return replace(report, notes=(*file.notes, *report.notes))


def _unknown(file: RowsFile) -> DlmError:
    first = file.rows[0][1]
    names = list(file.header) or (list(first) if isinstance(first, dict) else [])
    has = f"it has {', '.join(map(repr, names[:12]))}" if names else "its rows are no objects"
    return DlmError(
        f"{file.path}:1: this is no report of a known tool, and no table with a prompt and a "
        f"reference: {has}",
        hint=f"known are {_KNOWN}; --prompt-field and --reference-field name other columns; chats "
        "and preferences are for `dlm preference import`",
    )
