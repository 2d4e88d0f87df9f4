"""Results of promptfoo: the tests that failed an assertion which holds a reference.

JSON and YAML of versions 1 to 3, JSONL with a result a line, and CSV: with a status column for each
provider, or with `[PASS]`, `[FAIL]` or `[ERROR]` before each answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dlm.loops.reports.prompts import Unclear, answers_of, number_of, question_of, text_of, words
from dlm.loops.reports.values import NO_CHOICES, Choices, Recovered, Report, Tally
from dlm.loops.rows_file import RowsFile

# Assertions whose value is an answer as it should be; then those whose value is a part of it.
_WHOLE: Final = words(
    "equals similar factuality model-graded-factuality levenshtein rouge-n bleu gleu meteor "
    "model-graded-closedqa-reference answer-similarity"
)
_PART: Final = ("icontains", "contains", "contains-any", "icontains-any", "starts-with")
_JUDGED: Final = words(
    "llm-rubric g-eval factuality similar classifier moderation answer-relevance "
    "context-recall context-relevance context-faithfulness select-best pi search-rubric"
)
VARIABLES: Final = words(
    "reference reference_answer references expected expected_answer expected_output "
    "expected_response ground_truth groundtruth gold gold_answer golden_answer correct_answer "
    "correct ideal target label"
)
_AMBIGUOUS: Final = ("answer", "answers", "output", "response")
_ERRORED: Final = 2  # `failureReason` of a test that got no answer
_PLACE: Final = re.compile(r"\{\{-?\s*([\w.-]+?)\s*-?\}\}")
_NO_VERDICT: Final = re.compile(
    r"could not (?:extract|parse) json|api (?:call )?error|no output|rate limit|timed? ?out|"
    r"econn|request failed|grader|quota",
    re.IGNORECASE,
)
_CELL: Final = re.compile(r"\s*\[(PASS|FAIL|ERROR)\]")
_PROVIDER: Final = re.compile(r"\[([^\]]+)\]\s*(.*)", re.DOTALL)

_Row = Mapping[str, Any]


def is_result(row: object) -> bool:
    """Whether a row is one result of promptfoo, as JSONL holds it a line."""
    return isinstance(row, dict) and (
        {"promptIdx", "testIdx"} <= row.keys()
        or ({"success", "prompt"} <= row.keys() and ("vars" in row or "gradingResult" in row))
    )


def is_table(file: RowsFile) -> bool:
    """Whether a CSV file has the columns or the cells that promptfoo writes."""
    header = file.header
    if any(_PROVIDER.fullmatch(name) for name in header) and (
        "Status" in header or "Grader Reason" in header
    ):
        return True
    if "Status" in header and "Grader Reason" in header:
        return True
    first = [cell for _, record in file.rows[:20] for cell in record.values()] if header else []
    return any(_CELL.match(cell) for cell in first)


def read(file: RowsFile, choices: Choices = NO_CHOICES) -> Report:
    """One pair a failed test; raises DlmError where the file is malformed."""
    results = list(_table_results(file) if file.syntax == "csv" else _results(file))
    tally = Tally("promptfoo", choices)
    for index, (keys, row) in enumerate(results):
        if not isinstance(row, dict):
            raise file.error(file.line_of(*keys), f"result {index + 1} is not an object")
        verdict = _verdict(row)
        if not tally.counts(_provider(row), verdict):
            continue
        name = _name(row, index)
        tally.add(name, _pair(row, name, choices))
    return tally.report()


def _results(file: RowsFile) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each result with the keys of its place in the file."""
    if file.syntax == "jsonl" or (file.rows and is_result(file.rows[0][1])):
        for index, (_, row) in enumerate(file.rows):
            yield (index,), row
        return
    data = file.whole
    outer = data.get("results") if isinstance(data, dict) else None
    rows = outer.get("results") if isinstance(outer, dict) else outer
    if not isinstance(rows, list):
        line = file.line_of("results", "results")
        raise file.error(line, "promptfoo results are an object with a list 'results'")
    for index, row in enumerate(rows):
        yield ("results", "results", index) if isinstance(outer, dict) else ("results", index), row


def _table_results(file: RowsFile) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The results of a table, a provider's answer each, in the shape that JSON has them."""
    columns = list(_columns(file))
    first = min((column.at for column in columns), default=0)
    for index, (_, record) in enumerate(file.rows):
        cells = [_unescaped(cell) for cell in record.values()]
        variables = dict(zip(file.header[:first], cells[:first], strict=True))
        about = variables.pop("Description", "")
        for column in columns:
            marked = _CELL.match(cells[column.at])
            status = marked[1] if marked else ""
            if column.status is not None:
                status = cells[column.status].strip().upper()
            if not status:
                continue
            yield (
                (index,),
                {
                    "testIdx": index,
                    "success": status == "PASS",
                    "failureReason": _ERRORED if status == "ERROR" else 1,
                    "score": _score_of(cells[column.score]) if column.score is not None else None,
                    "provider": column.provider,
                    "prompt": _filled(column.prompt, variables),
                    "vars": variables,
                    "testCase": {"description": about, "vars": variables},
                    "response": {"output": cells[column.at]},
                    "table": True,
                },
            )


@dataclass(frozen=True, slots=True)
class _Column:
    """Where the answers of one provider to one prompt stand, and what is said of them."""

    provider: str
    prompt: str
    at: int
    status: int | None
    score: int | None


def _columns(file: RowsFile) -> Iterator[_Column]:
    header = file.header
    cells = [list(record.values()) for _, record in file.rows[:50]]
    for at, title in enumerate(header):
        follows = header[at + 1] if at + 1 < len(header) else ""
        marked = any(_CELL.match(row[at]) for row in cells)
        if follows != "Status" and not marked:
            continue
        named = _PROVIDER.fullmatch(title)
        provider, prompt = (named[1], named[2]) if named else ("", title)
        status = at + 1 if follows == "Status" else None
        score = at + 2 if status and header[at + 2 : at + 3] == ("Score",) else None
        yield _Column(provider, prompt, at, status, score)


def _unescaped(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from taking it for a formula."""
    return cell[1:] if re.match(r"'[=+\-@]", cell) else cell


def _filled(template: str, variables: Mapping[str, str]) -> str:
    """The prompt of a table, whose header has only its template, or only its label."""
    if _PLACE.search(template):
        return _rendered(template, variables) or ""
    asked = ("question", "query", "prompt", "input", "user_input", "problem", "instruction")
    lower = {name.lower(): value for name, value in variables.items()}
    return next((lower[name] for name in asked if lower.get(name)), "")


def _score_of(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _provider(row: _Row) -> str:
    provider = row.get("provider")
    if isinstance(provider, dict):
        return text_of(provider.get("label")) or text_of(provider.get("id")) or ""
    return text_of(provider) or ""


def _verdict(row: _Row) -> str:
    """pass, fail, or error: a test that got no answer, or no verdict."""
    success = row.get("success")
    if success is None:
        success = _object(row.get("gradingResult")).get("pass")
    if success is not False:
        return "pass"
    if row.get("failureReason") == _ERRORED or _object(row.get("response")).get("error"):
        return "error"
    said = _object(row.get("response")).get("output")
    if row.get("error") and not row.get("gradingResult") and said in (None, ""):
        return "error"
    failed = list(_failed_parts(row))
    judged = [part for part in failed if _is_judged(part)]
    silent = [part for part in judged if _NO_VERDICT.search(str(part.get("reason") or ""))]
    return "error" if failed and len(silent) == len(failed) else "fail"


def _is_judged(part: _Row) -> bool:
    kind = str(_object(part.get("assertion")).get("type"))
    return kind.startswith("model-graded") or kind in _JUDGED


def _name(row: _Row, index: int) -> str:
    case = _object(row.get("testCase"))
    return text_of(case.get("description")) or f"test-{row.get('testIdx', index)}"


def _pair(row: _Row, name: str, choices: Choices) -> Recovered | str:
    """The pair of a failed test, or why there is none."""
    variables = {**_object(_object(row.get("testCase")).get("vars")), **_object(row.get("vars"))}
    prompt = row.get("prompt")
    try:
        question = question_of(prompt.get("raw") if isinstance(prompt, dict) else prompt)
        if choices.prompt_field:
            question = question_of(variables.get(choices.prompt_field))
    except Unclear as error:
        return str(error)
    found = _reference(row, variables, choices)
    if isinstance(found, str):
        return found
    reference, how = found
    score = number_of(row.get("score"))
    scores = {} if score is None else {"score": score}
    return Recovered(question, reference, name, how, scores=scores)


def _reference(row: _Row, variables: Mapping[str, Any], choices: Choices) -> tuple[str, str] | str:
    """The reference of a failed test and where it stood, or why there is none."""
    if choices.reference_field:
        answers = answers_of(variables.get(choices.reference_field))
        if answers:
            return answers[0], f"its variable {choices.reference_field}"
        return f"it has no variable {choices.reference_field}"
    assertions = list(_failed_assertions(row))
    for types in (_WHOLE, _PART):
        values = {
            value: kind
            for kind, raw in assertions
            if kind in types and (value := _value(kind, raw, variables))
        }
        if len(values) > 1:
            return "several assertions failed, and each names another answer"
        if values:
            ((value, kind),) = values.items()
            return value, f"value of its {kind} assertion"
        if types is _WHOLE and (found := _variable(row, variables)):
            return found
    kinds = sorted({kind for kind, _ in assertions})
    if row.get("table"):
        return "none of its columns is named as a reference (expected, reference, …)"
    return f"no assertion that failed holds an answer ({', '.join(kinds) or 'none is recorded'})"


def _variable(row: _Row, variables: Mapping[str, Any]) -> tuple[str, str] | None:
    """A variable that holds the reference.

    One called `answer` may be what is judged, so it counts only where neither the prompt nor the
    model's answer repeats it.
    """
    lower = {str(name).strip().lower().replace(" ", "_"): name for name in variables}
    for key in (*VARIABLES, *_AMBIGUOUS):
        answers = answers_of(variables[lower[key]]) if key in lower else []
        if not answers:
            continue
        prompt = row.get("prompt")
        seen = f"{prompt.get('raw') if isinstance(prompt, dict) else prompt}"
        said = f"{_object(row.get('response')).get('output')}"
        if key in _AMBIGUOUS and (answers[0] in seen or answers[0] in said or row.get("table")):
            continue
        return answers[0], f"its variable {lower[key]}"
    return None


def _failed_parts(row: _Row) -> Iterator[_Row]:
    """Each graded assertion that failed; of a set of them, those within it."""
    stack = [_object(row.get("gradingResult"))]
    while stack:
        part = stack.pop(0)
        inner = part.get("componentResults")
        graded = [each for each in inner if isinstance(each, dict)] if inner else []
        if graded:
            stack[:0] = [each for each in graded if each.get("pass") is False]
        elif isinstance(part.get("assertion"), dict):
            yield part


def _failed_assertions(row: _Row) -> Iterator[tuple[str, object]]:
    """Type and value of each assertion that failed; of all, where none was graded."""
    failed = list(_failed_parts(row))
    asserted = [_object(part.get("assertion")) for part in failed]
    if not failed:
        declared = _object(row.get("testCase")).get("assert")
        asserted = [item for item in declared or () if isinstance(item, dict)]
    for item, part in zip(asserted, failed or [{}] * len(asserted), strict=True):
        inner = item.get("assert")
        for each in inner if isinstance(inner, list) else [item]:
            rendered = _object(part.get("metadata")).get("renderedAssertionValue")
            value = _object(each).get("value") if rendered is None else rendered
            yield str(_object(each).get("type") or "unknown"), value


def _value(kind: str, value: object, variables: Mapping[str, Any]) -> str | None:
    """The answer that the value of an assertion is, with its variables put in."""
    if isinstance(value, list):
        if not kind.endswith("-any"):
            return None
        value = value[0] if value else None
    elif kind.endswith("-any") and isinstance(value, str):
        value = value.split(",")[0]
    if isinstance(value, str):
        return _rendered(value, variables)
    answers = [] if isinstance(value, dict) else answers_of(value)
    return answers[0] if answers else None


def _rendered(value: str, variables: Mapping[str, Any]) -> str | None:
    """The text with its variables put in; None for files, code, and variables unknown."""
    if value.startswith(("file://", "javascript:", "python:", "fn:", "package:")):
        return None
    filled: dict[str, str] = {}
    for name in set(_PLACE.findall(value)):
        found: Any = variables
        for key in [name] if name in variables else name.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict | list) or not (answers := answers_of(found)):
            return None
        filled[name] = answers[0]
    text = _PLACE.sub(lambda match: filled[match[1]], value)
    return None if "{{" in text or "{%" in text else text_of(text)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
