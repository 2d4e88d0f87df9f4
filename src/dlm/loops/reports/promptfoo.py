"""Results files of promptfoo: the tests that failed an assertion which holds a reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dlm.loops.reports.source import ReportFile, numbers, text_of
from dlm.loops.reports.values import Recovered, Report, Unusable

# Assertions whose value is an answer as it should be; then those whose value is a part of it.
_WHOLE: Final = (
    "equals",
    "similar",
    "factuality",
    "levenshtein",
    "rouge-n",
    "bleu",
    "gleu",
    "meteor",
)
_PART: Final = ("icontains", "contains")
_VARIABLES: Final = (
    "reference",
    "reference_answer",
    "expected",
    "expected_answer",
    "expected_output",
    "ground_truth",
    "gold",
    "answer",
    "target",
)
_ERRORED: Final = 2  # `failureReason` of a test that got no answer
_PLACE: Final = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def read(file: ReportFile) -> Report:
    """One pair a failed test; raises DlmError where the file is malformed."""
    data = file.json()
    outer = data.get("results") if isinstance(data, dict) else None
    rows = outer.get("results") if isinstance(outer, dict) else outer
    if not isinstance(rows, list):
        line = file.line_of("results", "results")
        raise file.malformed(line, "promptfoo results are an object with a list 'results'")
    pairs: list[Recovered] = []
    unusable: list[Unusable] = []
    failing = 0
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            keys = ("results", "results", index) if isinstance(outer, dict) else ("results", index)
            raise file.malformed(file.line_of(*keys), f"result {index + 1} is not an object")
        if row.get("success") is not False:
            continue
        failing += 1
        name = _name(row, index)
        found = _pair(row, name)
        if isinstance(found, Recovered):
            pairs.append(found)
        else:
            unusable.append(Unusable(name, found))
    return Report("promptfoo", len(rows), failing, tuple(pairs), unusable=tuple(unusable))


def _name(row: Mapping[str, Any], index: int) -> str:
    case = _object(row.get("testCase"))
    return text_of(case.get("description")) or f"test-{row.get('testIdx', index)}"


def _pair(row: Mapping[str, Any], name: str) -> Recovered | str:
    """The pair of a failed test, or why there is none."""
    if row.get("failureReason") == _ERRORED or (row.get("error") and not row.get("gradingResult")):
        return "the test got no answer; that is no failure of the model"
    prompt = _prompt(row)
    if prompt is None:
        return "its prompt is not one text, nor a chat that ends with the user"
    variables = {**_object(_object(row.get("testCase")).get("vars")), **_object(row.get("vars"))}
    assertions = list(_failed_assertions(row))
    for types in (_WHOLE, _PART):
        values = {
            value: kind
            for kind, raw in assertions
            if kind in types and (value := _rendered(raw, variables))
        }
        if len(values) > 1:
            return "several assertions failed, and each names another answer"
        if values:
            ((value, kind),) = values.items()
            return Recovered(
                prompt, value, name, f"value of its {kind} assertion", scores=_score(row)
            )
        if types is _WHOLE:
            for key in _VARIABLES:
                if value := text_of(variables.get(key)):
                    how = f"its variable {key}"
                    return Recovered(prompt, value, name, how, scores=_score(row))
    kinds = sorted({kind for kind, _ in assertions})
    return f"no assertion that failed holds an answer ({', '.join(kinds) or 'none is recorded'})"


def _prompt(row: Mapping[str, Any]) -> str | None:
    prompt = row.get("prompt")
    raw = text_of(prompt.get("raw") if isinstance(prompt, dict) else prompt)
    if raw is None or not raw.startswith("["):
        return raw
    try:
        chat = json.loads(raw)
    except ValueError:
        return raw
    if not isinstance(chat, list) or not all(isinstance(turn, dict) for turn in chat):
        return raw
    turns = [turn for turn in chat if turn.get("role") != "system"]
    if len(turns) != 1 or turns[0].get("role") != "user":
        return None
    return text_of(turns[0].get("content"))


def _failed_assertions(row: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Type and value of each assertion that failed; of all, where none was graded."""
    grading = _object(row.get("gradingResult"))
    parts = grading.get("componentResults")
    graded = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    declared = _object(row.get("testCase")).get("assert")
    asserted = [_object(part.get("assertion")) for part in graded if part.get("pass") is False]
    if not graded and isinstance(declared, list):
        asserted = [item for item in declared if isinstance(item, dict)]
    for item in asserted:
        yield str(item.get("type") or "unknown"), item.get("value")


def _rendered(value: object, variables: Mapping[str, Any]) -> str | None:
    """The value with its variables put in; None for files, code, and variables unknown."""
    text = text_of(value)
    if text is None or text.startswith(("file://", "javascript:", "python:")):
        return None
    names = set(_PLACE.findall(text))
    if not all(isinstance(variables.get(name), str | int | float) for name in names):
        return None
    return text_of(_PLACE.sub(lambda match: str(variables[match[1]]), text))


def _score(row: Mapping[str, Any]) -> dict[str, float]:
    return numbers(dict(row), "score")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
