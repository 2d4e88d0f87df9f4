"""Results of promptfoo: the tests that failed an assertion which holds a reference.

JSON and YAML of versions 1 to 3, JSONL with a result a line, the table of the web page, and CSV:
with a status column for each provider, or with `[PASS]`, `[FAIL]` or `[ERROR]` before each answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from dlm.loops.edits import NewPair
from dlm.loops.proposals import Proposal
from dlm.loops.reports.prompts import chat_of, question_of
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
    words,
)
from dlm.sources.rows_file import RowsFile

# Assertions whose value is an answer as it should be; then those whose value is a part of it.
_WHOLE: Final = words(
    "equals similar factuality model-graded-factuality levenshtein rouge-n bleu gleu meteor "
    "answer-similarity"
)
_PART: Final = words("icontains contains contains-any icontains-any starts-with")
_JUDGED: Final = words(
    "llm-rubric g-eval factuality similar classifier moderation answer-relevance "
    "context-recall context-relevance context-faithfulness select-best pi search-rubric"
)
_VARIABLES: Final = words(
    "reference reference_answer references expected expected_answer expected_output "
    "expected_response ground_truth groundtruth gold gold_answer golden_answer correct_answer "
    "correct ideal target label"
)
_AMBIGUOUS: Final = words("answer answers output response")
_ASKED: Final = words("question query prompt input user_input problem instruction")
_ERRORED: Final = 2  # `failureReason` of a test that got no answer
_PLACE: Final = re.compile(r"\{\{-?\s*([\w.-]+?)\s*-?\}\}")
_NO_VERDICT: Final = re.compile(
    r"could not (?:extract|parse) json|api (?:call )?error|no output|rate limit|timed? ?out|"
    r"econn|request failed|grader|quota",
    re.IGNORECASE,
)
_CELL: Final = re.compile(r"\s*\[(PASS|FAIL|ERROR)\]\s*(?:\([\d., ]+\))?\s*")
_REASON: Final = re.compile(r"\s*(?:Pass|Fail) Reason: .*\Z", re.DOTALL)
_PROVIDER: Final = re.compile(r"\[([^\]\n{]+)\]\s*(.*)", re.DOTALL)
_STRIPPED: Final = "[prompt stripped]"

_Row = Mapping[str, Any]


def is_it(file: RowsFile) -> bool:
    """Whether a file holds results in any of their spellings."""
    whole = object_of(file.whole)
    return (
        _is_table(file)
        or _is_result(file.rows[0][1])
        or isinstance(whole.get("results"), dict | list)
        or isinstance(whole.get("body"), list)
    )


def read(file: RowsFile, choices: Choices) -> Report:
    """One pair a failed test; raises DlmError where the file is malformed."""
    results = list(_table_results(file) if file.syntax == "csv" else _results(file))
    tally = Tally("promptfoo", choices)
    for index, (keys, row) in enumerate(results):
        if not isinstance(row, dict):
            raise file.error(file.line_of(*keys), f"result {index + 1} is not an object")
        if not {"success", "gradingResult", "prompt"} & row.keys():
            what = f"result {index + 1} has neither 'success' nor 'gradingResult'"
            raise file.error(file.line_of(*keys), what)
        about = text_of(object_of(row.get("testCase")).get("description"))
        name = about or f"test-{row.get('testIdx', index)}"
        said = object_of(row.get("response")).get("output")
        tally.take(name, {_provider(row): _verdict(row)}, partial(_pair, row, name, choices), said)
    return tally.report()


def _is_result(row: object) -> bool:
    """Whether a row is one result of promptfoo, as JSONL holds it a line."""
    return isinstance(row, dict) and (
        {"promptIdx", "testIdx"} <= row.keys()
        or ({"success", "prompt"} <= row.keys() and ("vars" in row or "gradingResult" in row))
    )


def _is_table(file: RowsFile) -> bool:
    """Whether a CSV file has the columns or the cells that promptfoo writes."""
    header = file.header
    if "Status" in header and (
        "Grader Reason" in header or any(_PROVIDER.fullmatch(name) for name in header)
    ):
        return True
    return bool(header) and any(
        _CELL.match(cell) for _, record in file.rows[:20] for cell in record.values()
    )


def _results(file: RowsFile) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each result with the keys of its place in the file."""
    if file.syntax == "jsonl" or _is_result(file.rows[0][1]):
        yield from (((index,), row) for index, (_, row) in enumerate(file.rows))
        return
    whole = object_of(file.whole)
    if isinstance(whole.get("body"), list):
        yield from _body(whole)
        return
    outer = whole.get("results")
    keys = ("results", "results") if isinstance(outer, dict) else ("results",)
    rows = outer.get("results") if isinstance(outer, dict) else outer
    if not isinstance(rows, list):
        line = file.line_of("results", "results")
        raise file.error(line, "promptfoo results are an object with a list 'results'")
    yield from (((*keys, index), row) for index, row in enumerate(rows))


def _body(table: _Row) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The results of the table that the web page saves: an answer of each provider in a row."""
    names = list_of(object_of(table.get("head")).get("vars"))
    for at, row in enumerate(map(object_of, table["body"])):
        test = object_of(row.get("test"))
        variables = object_of(test.get("vars")) or dict(
            zip(names, list_of(row.get("vars")), strict=False)
        )
        for output in objects_of(row.get("outputs")):
            yield (
                ("body", at),
                {
                    **output,
                    "testIdx": at,
                    "success": output.get("pass"),
                    "vars": variables,
                    "testCase": test,
                    "response": {"output": output.get("text")},
                },
            )


def _table_results(file: RowsFile) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The results of a CSV, a provider's answer each, in the shape that JSON has them."""
    header = file.header
    cells = [[_unescaped(cell) for cell in record.values()] for _, record in file.rows]
    follows = [*header[1:], ""]
    answers = [
        at
        for at in range(len(header))
        if follows[at] == "Status" or any(_CELL.match(row[at]) for row in cells[:50])
    ]
    last = header.index("Comment") if "Comment" in header else -1
    own = [
        at
        for at in range(len(header))
        if at not in answers and (last < 0 or at < min(answers, default=0))
    ]
    for index, row in enumerate(cells):
        variables = {header[at]: row[at] for at in own}
        about = variables.pop("Description", "")
        for at in answers:
            title = object_of(_json(header[at])).get("raw") or header[at]
            named = _PROVIDER.fullmatch(title)
            apart = follows[at] == "Status"
            marked = None if apart else _CELL.match(row[at])
            status = row[at + 1].strip().upper() if apart else marked[1] if marked else ""
            if status:
                said = (
                    row[at] if apart else _REASON.sub("", row[at][marked.end() if marked else 0 :])
                )
                yield (
                    (index,),
                    {
                        "testIdx": index,
                        "success": status == "PASS",
                        "failureReason": _ERRORED if status == "ERROR" else 1,
                        "score": row[at + 2] if follows[at + 1 : at + 2] == ["Score"] else None,
                        "provider": named[1] if named else "",
                        "prompt": _filled(named[2] if named else title, variables),
                        "vars": variables,
                        "testCase": {"description": about, "vars": variables},
                        "response": {"output": said},
                        "table": True,
                    },
                )


def _unescaped(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from taking it for a formula."""
    return cell[1:] if re.match(r"'[=+\-@]", cell) else cell


def _filled(template: str, variables: Mapping[str, str]) -> object:
    """The prompt of a table, whose header has only its template, or only its label."""
    try:
        chat = chat_of(template)
    except Unclear:
        chat = None
    if chat is not None:
        return [{"role": role, "content": _rendered(text, variables)} for role, text in chat]
    if _PLACE.search(template):
        return _rendered(template, variables) or ""
    lower = {name.lower(): value for name, value in variables.items()}
    return next((lower[name] for name in _ASKED if lower.get(name)), "")


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _provider(row: _Row) -> str:
    """Label and id, where they differ."""
    provider = row.get("provider")
    if not isinstance(provider, dict):
        return text_of(provider) or ""
    label, name = text_of(provider.get("label")), text_of(provider.get("id"))
    return f"{label} ({name})" if label and name and label != name else label or name or ""


def _verdict(row: _Row) -> str:
    """pass, fail, or error: a test that got no answer, or no verdict."""
    response = object_of(row.get("response"))
    success = row.get("success")
    if success is None:
        success = object_of(row.get("gradingResult")).get("pass")
    if success is not False:
        return "pass" if success else "error"
    if row.get("failureReason") == _ERRORED or response.get("error"):
        return "error"
    if row.get("error") and not row.get("gradingResult") and response.get("output") in (None, ""):
        return "error"
    failed = list(_failed_parts(row))
    return "error" if failed and all(_is_silent(part) for part in failed) else "fail"


def _is_silent(part: _Row) -> bool:
    """Whether a judge failed to judge."""
    kind = str(object_of(part.get("assertion")).get("type"))
    if object_of(part.get("metadata")).get("graderError"):
        return True
    judged = kind.startswith("model-graded") or kind in _JUDGED
    return judged and _NO_VERDICT.search(str(part.get("reason") or "")) is not None


def _pair(row: _Row, name: str, choices: Choices) -> Proposal:
    """The pair of a failed test; raises Unclear where there is none."""
    test = object_of(row.get("testCase"))
    variables = {**object_of(test.get("vars")), **object_of(row.get("vars"))}
    prompt = row.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, dict) else prompt
    if choices.prompt_field:
        raw = variables.get(choices.prompt_field)
    if raw == _STRIPPED:
        raise Unclear("its prompt was stripped from the report")
    if raw == "" and row.get("table"):
        raise Unclear("the table has only a label of its prompt; --prompt-field names its question")
    question = question_of(raw)
    reference, how = _reference(row, variables, choices)
    score = cell_number(row.get("score"))
    scores = {} if score is None else {"score": score}
    return Proposal(NewPair(question, reference), name, how, scores=scores)


def _reference(row: _Row, variables: Mapping[str, Any], choices: Choices) -> tuple[str, str]:
    """The reference of a failed test, and where it stood; raises Unclear where there is none."""
    if choices.reference_field:
        answers = answers_of(variables.get(choices.reference_field))
        if answers:
            return answers[0], f"its variable {choices.reference_field}"
        raise Unclear(f"it has no variable {choices.reference_field}")
    assertions = list(_failed_assertions(row))
    kinds = ", ".join(sorted({kind for kind, _ in assertions})) or "none is recorded"
    for types in (_WHOLE, _PART):
        values = {
            value: kind
            for kind, raw in assertions
            if kind in types and (value := _value(kind, raw, variables))
        }
        if len(values) > 1:
            raise Unclear("several assertions failed, and each names another answer")
        if values:
            ((value, kind),) = values.items()
            return value, f"value of its {kind} assertion"
        if types is _WHOLE and (right := _passed(row)):
            raise Unclear(f"its answer is right by its {right} assertion; what failed is {kinds}")
        if types is _WHOLE and (found := _variable(row, variables)):
            return found
    if row.get("table"):
        raise Unclear("no column is named as a reference (expected, …); --reference-field names it")
    raise Unclear(f"no assertion that failed holds an answer ({kinds})")


def _variable(row: _Row, variables: Mapping[str, Any]) -> tuple[str, str] | None:
    """A variable that holds the reference.

    One called `answer` may be what is judged, so it counts only where neither the prompt nor the
    model's answer repeats it.
    """
    lower = {str(name).strip().lower().replace(" ", "_"): name for name in variables}
    seen = f"{row.get('prompt')}\n{object_of(row.get('response')).get('output')}"
    for key in (*_VARIABLES, *(() if row.get("table") else _AMBIGUOUS)):
        answers = answers_of(variables[lower[key]]) if key in lower else []
        if answers and not (key in _AMBIGUOUS and (answers[0] in seen or "stripped]" in seen)):
            return answers[0], f"its variable {lower[key]}"
    return None


def _parts(row: _Row) -> Iterator[_Row]:
    """Each graded assertion that counts; of a set of them, those within it, where it failed.

    The parts of a set stand in it and once more beside it.
    """
    stack = [object_of(row.get("gradingResult"))]
    settled: list[_Row] = []
    while stack:
        part = stack.pop(0)
        inner = objects_of(part.get("componentResults"))
        assertion = object_of(part.get("assertion"))
        if inner:
            if part.get("pass") is not False:
                settled += inner
            else:
                stack[:0] = inner
        elif assertion and not assertion.get("metricOnly") and part not in settled:
            yield part


def _failed_parts(row: _Row) -> Iterator[_Row]:
    return (part for part in _parts(row) if part.get("pass") is False)


def _passed(row: _Row) -> str:
    """The assertion that found the whole answer right, if one did."""
    kinds = (_kind(part.get("assertion")) for part in _parts(row) if part.get("pass") is True)
    return next((kind for kind in kinds if kind in _WHOLE), "")


def _kind(assertion: object) -> str:
    """The type of an assertion, without the variant of its measure (`similar:cosine`)."""
    return str(object_of(assertion).get("type") or "unknown").partition(":")[0]


def _failed_assertions(row: _Row) -> Iterator[tuple[str, object]]:
    """Type and value of each assertion that failed; of all, where none was graded."""
    failed = [(object_of(part.get("assertion")), part) for part in _failed_parts(row)]
    if not failed:
        declared = objects_of(object_of(row.get("testCase")).get("assert"))
        failed = [(item, {}) for item in declared]
    for item, part in failed:
        inner = item.get("assert")
        for each in inner if isinstance(inner, list) else [item]:
            rendered = object_of(part.get("metadata")).get("renderedAssertionValue")
            yield _kind(each), object_of(each).get("value") if rendered is None else rendered


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
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if kind == "equals" else None
    return next(iter(answers_of(value)), None)


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
