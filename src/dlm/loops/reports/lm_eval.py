"""Samples of lm-evaluation-harness (`--log_samples`): one question and filter a row.

Versions to 0.4.2 write one JSON list a task, later ones JSONL; `arguments` is a list or an object,
and `target` a value or its text. A question counts as failed when no filter and no metric found its
answer right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
    text_of,
    words,
)
from dlm.sources.rows_file import RowsFile

_NO_METRICS: Final = words(
    "doc_id doc target arguments resps filtered_resps filter metrics task task_name idx "
    "doc_hash prompt_hash target_hash limit model"
)
# Metrics of which more is not better, or which say nothing about one answer.
_NOT_RIGHT: Final = words(
    "perplexity bits loss nll brier ece wer cer ter bypass stderr diff logprob time tokens length "
    "pct stereotype toxicity bias"
)
_OF_HUNDRED: Final = words("exact_match exact em acc accuracy f1")  # as SQuAD counts them
# Metrics of tasks whose target is no answer: tests of a program, and rules for the form of a text.
_NO_ANSWER: Final = re.compile(r"pass(?:@|_at_)\d+|(?:prompt|inst)_level_\w+", re.IGNORECASE)
_NOTHING: Final = ("", "None", "nan", "[]", "{}", "()")
_QUESTION: Final = words(
    "question query problem prompt input instruction ctx goal sentence text question_text"
)
_PICTURE: Final = re.compile(r"<(?:image|audio|video)>")
_LONG: Final = 20  # characters from which a text of the document is known to be itself

_Row = Mapping[str, Any]


def is_it(file: RowsFile) -> bool:
    """Whether a file holds samples, or the totals that stand beside them."""
    samples = object_of(file.whole).get("samples")
    return _is_sample(file.rows[0][1]) or _is_totals(file.whole) or isinstance(samples, dict)


def read(file: RowsFile, choices: Choices) -> Report:
    """One pair a question that failed; raises DlmError where a row is malformed."""
    if _is_totals(file.whole):
        raise file.error(
            1,
            "these are the totals of lm-evaluation-harness, without the questions: run it with "
            "--log_samples and name the samples_*.jsonl beside this file",
        )
    asked: dict[tuple[str, ...], list[_Row]] = {}
    for line, row, task in _rows(file):
        if not _is_sample(row):
            raise file.error(line, "a sample of lm-evaluation-harness has a 'doc_id'")
        task = text_of(row.get("task_name") or row.get("task")) or task
        doc = json.dumps(row.get("doc"), sort_keys=True, default=str)
        asked.setdefault((task, f"{row.get('doc_id', line)}", doc), []).append(row)
    metrics = _metrics([row for rows in asked.values() for row in rows])
    tally = Tally("lm-evaluation-harness")
    for (task, doc_id, _), rows in asked.items():
        scores = [score for row in rows for score in _scores(row, metrics).values()]
        verdict = "error" if not scores else "pass" if max(scores) >= 1 else "fail"
        name = f"{task or file.path.stem}-{doc_id}"

        tally.take(name, {"": verdict}, partial(_pair, rows[0], name, metrics))
    return tally.report()


def _is_sample(row: object) -> bool:
    """Whether a row is a sample: `doc_id` with `doc` or `arguments`."""
    return isinstance(row, dict) and ("doc_id" in row or {"doc", "arguments"} <= row.keys())


def _is_totals(data: object) -> bool:
    """Whether a value is the file of aggregated results that stands beside the samples."""
    return (
        isinstance(data, dict)
        and isinstance(data.get("results"), dict)
        and "samples" not in data
        and ("configs" in data or "versions" in data or "n-shot" in data)
    )


def _rows(file: RowsFile) -> Iterator[tuple[int, Any, str]]:
    """Line, sample and task; also of results that hold their samples by task."""
    data = file.whole
    samples = data.get("samples") if isinstance(data, dict) else None
    if isinstance(samples, dict):
        for task, rows in samples.items():
            for index, row in enumerate(rows if isinstance(rows, list) else [rows]):
                yield file.line_of("samples", task, index), row, task
        return
    for line, row in file.rows:
        if not isinstance(row, dict):
            raise file.error(line, "this line is not a JSON object")
        yield line, row, ""


def _metrics(rows: Sequence[_Row]) -> dict[str, float]:
    """The metrics of a file that say right (full marks) or wrong (0) of an answer, by name.

    A metric that passes 1 anywhere is on another scale, and says neither.
    """
    names = {name for row in rows for name in row if name not in _NO_METRICS}
    listed = {name for row in rows for name in list_of(row.get("metrics")) if isinstance(name, str)}
    found: dict[str, float] = {}
    for name in names & listed if listed else names:
        if {*re.split(r"[-_, ]", name.lower())} & {*_NOT_RIGHT}:
            continue
        values = [value for row in rows if (value := _score(row.get(name))) is not None]
        full = 100.0 if name in _OF_HUNDRED and 100.0 in values else 1.0
        if values and all(0 <= value <= full for value in values):
            found[name] = full
    return found


def _score(value: object) -> float | None:
    """A metric's value; that of a list of verdicts is the worst of them."""
    if isinstance(value, list):
        parts = [float(part) for part in value if isinstance(part, bool)]
        return min(parts) if parts and len(parts) == len(value) else None
    return cell_number(value)


def _scores(row: _Row, metrics: Mapping[str, float]) -> dict[str, float]:
    """What each metric says of a sample, of 1."""
    found = {name: _score(row.get(name)) for name in sorted(metrics)}
    return {name: score / metrics[name] for name, score in found.items() if score is not None}


def _pair(row: _Row, name: str, metrics: Mapping[str, float]) -> Proposal:
    """The pair of a sample; raises Unclear where there is none."""
    if any(_NO_ANSWER.match(metric) for metric in row):
        raise Unclear("its target is no answer: it tests a program, or the form of a text")
    requests = _requests(row.get("arguments"))
    if not requests or not requests[0][0]:
        raise Unclear("it records no request")
    if len(requests[0]) > 2 or _PICTURE.search(str(requests[0][0])):
        raise Unclear("its prompt holds more than text")
    target = row.get("target")
    how = "context and target of the sample"
    if len(requests) > 1 or (isinstance(target, int) and isinstance(requests[0][1], str)):
        choices = [text_of(request[1]) for request in requests]
        chosen = _index(target, choices)
        reference = None if chosen is None else choices[chosen]
        if reference is None:
            raise Unclear(f"its target {target!r} names none of its {len(requests)} choices")
        if len({json.dumps(request[0], default=str) for request in requests}) > 1:
            raise Unclear("its choices stand in the context, so no question has a single answer")
        how = "context and right choice of the sample"
    else:
        answers = [] if str(target).strip() in _NOTHING else answers_of(target)
        if not answers:
            raise Unclear("its target is empty")
        reference = answers[0]
        if len(answers) > 1:
            how = f"context and first of {len(answers)} targets"
    question = _question(requests[0][0], row)
    content = NewPair(question, reference)
    return Proposal(content, name, how, scores=_scores(row, metrics))


def _question(context: object, row: _Row) -> str:
    """The last question of a context, without system prompt and worked examples."""
    question = question_of(context, last=True)
    return _last_shot(question if chat_of(context) else str(context).rstrip(), row).strip()


def _requests(arguments: object) -> list[list[object]]:
    """Context, continuation or settings, and what else each request has, in either spelling."""
    if isinstance(arguments, dict):
        known = [
            (int(re.sub(r"\D", "", name) or 0), value)
            for name, value in arguments.items()
            if isinstance(value, dict)
        ]
        arguments = [list(value.values()) for _, value in sorted(known, key=lambda each: each[0])]
    if not isinstance(arguments, list):
        return []
    return [list(item) for item in arguments if isinstance(item, list | tuple) and len(item) > 1]


def _index(target: object, choices: Sequence[str | None]) -> int | None:
    """Which choice the target is: its number, also when written as text, or its words."""
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, str) and target.strip() in choices:
        return choices.index(target.strip())
    if isinstance(target, str) and target.strip().strip("[]").isdecimal():
        target = int(target.strip().strip("[]"))
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(choices):
        return target
    return None


def _last_shot(context: str, row: _Row) -> str:
    """The context without the worked examples before the question, where that can be told.

    What follows the question (`Answer:`) ends each example too, whatever separates them; what opens
    the context (`Question:`) opens each of them.
    """
    doc = object_of(row.get("doc"))
    question = next((text for key in _QUESTION if (text := text_of(doc.get(key)))), None)
    if question is None or question not in context:  # by another name: what stands last of it
        right = answers_of(row.get("target"))
        inner = [each for value in doc.values() for each in object_of(value).values()]
        texts = [text for each in (*doc.values(), *inner) if (text := text_of(each))]
        texts = [text for text in texts if text not in right]
        question = max(texts, key=context.rfind, default=None)
    at = context.rfind(question) if question else -1
    if question is None or at < 0:
        return _by_last_line(context)
    cue = context[at + len(question) :].strip().rsplit("\n", 1)[-1]
    after = context.rfind(cue, 0, at) if cue else -1
    start = after + len(cue) if after >= 0 else 0
    own = [text for value in doc.values() if (text := text_of(value)) and len(text) >= _LONG]
    begins = min([at, *(place for text in own if 0 <= (place := context.find(text, start)) < at)])
    before = context[start:begins]
    if after >= 0 and (opening := _opening(before, context)):
        return context[begins - len(opening) :]
    paragraph = before.rfind("\n\n")
    if paragraph >= 0:
        return context[start + paragraph + 2 :]
    line = before.rfind("\n")
    return context[start + line + 1 :] if after >= 0 and line >= 0 else context[start:]


def _opening(before: str, context: str) -> str:
    """The end of `before` with which the context begins, as every example does."""
    return next((before[at:] for at in range(len(before)) if context.startswith(before[at:])), "")


def _by_last_line(context: str) -> str:
    """The last example of a context whose last line ends the examples before it too."""
    cue = context.rstrip().rsplit("\n", 1)[-1].strip()
    paragraphs = context.split("\n\n")
    if len(paragraphs) > 1 and cue and cue in "\n\n".join(paragraphs[:-1]):
        return paragraphs[-1]
    return context
