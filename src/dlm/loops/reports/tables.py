"""Rows with a prompt and a reference: of RAGAS, LLaMA-Factory, ms-swift, verl, and anyone's own.

What the model said is never taken for the reference: a column whose name may mean either counts
only where nothing in the file speaks of an evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dlm.errors import DlmError
from dlm.loops.reports.prompts import Unclear, answers_of, number_of, question_of, text_of, words
from dlm.loops.reports.values import NO_CHOICES, Choices, Recovered, Report, Tally
from dlm.loops.rows_file import RowsFile

_PROMPTS: Final = words(
    "prompt question query user_input problem user_query user_question instruction input inputs "
    "messages conversation"
)
# Names of what an answer should be, best first; then names that as often mean what a model said.
_REFERENCES: Final = words(
    "reference reference_answer reference_answers references ground_truth ground_truths "
    "groundtruth ground_truth_answer gold gold_answer gold_answers golden_answer golden_answers "
    "correct_answer correct_answers correct_response expected expected_answer expected_output "
    "expected_response expected_result expected_completion ideal ideal_answer gts gt "
    "answer_key true_answer truth target targets target_answer label labels"
)
_EITHER: Final = words(
    "answer answers output outputs completion completions response responses result solution"
)
# Columns that only an evaluation has, by kind.
_SIGNS: Final = {
    "what a model said": words(
        "prediction predictions predicted predict pred preds model_output model_answer "
        "model_response generated generation generated_answer generated_text actual actual_output "
        "actual_answer sampled picked hypothesis candidate student_answer llm_answer llm_output "
        "llm_response bot_answer system_answer"
    ),
    "contexts": words(
        "context contexts retrieved_contexts retrieval_context reference_contexts documents "
        "retrieved_documents"
    ),
    "a model or provider": words(
        "model model_name model_id provider engine judge judge_model deployment latency latency_ms "
        "cost tokens total_tokens finish_reason logprobs temperature step"
    ),
}
# Columns that say whether a row passed, the plainest first.
_VERDICTS: Final = words(
    "passed pass correct is_correct verdict is_pass is_passed success grade judgement judgment "
    "evaluation match is_match status result"
)
_VAGUE: Final = ("evaluation", "match", "is_match", "status", "result")
_SCORES: Final = words(
    "score scores acc accuracy exact_match em f1 rouge rouge_l rouge1 rouge_1 rouge2 "
    "rouge_2 bleu bleu4 bleu_4 reward similarity "
    "semantic_similarity answer_similarity answer_correctness factual_correctness correctness "
    "llm_score rating"
)
_METRIC: Final = re.compile(
    r"(faithfulness|relevanc|precision|recall|correctness|similarity|_score|rouge|bleu|accuracy)"
)
_WORDS: Final = {
    "pass": "pass passed ok true 1 1.0 yes y success correct right match matched [pass] ✓ ✔ ✅ "
    "wahr vrai verdadero vero",  # as spreadsheets in other languages write what is true
    "fail": "fail failed false 0 0.0 no n failure incorrect wrong mismatch [fail] ✗ ✘ ❌ "
    "falsch faux falso",
    "error": "error errored timeout skipped [error] exception",
}
_VERDICT_OF: Final = {word: verdict for verdict, words in _WORDS.items() for word in words.split()}
_NAMES: Final = ("name", "probe", "probe_name", "id", "case", "test", "sample_id")
_SCALES: Final = (1.0, 5.0, 10.0, 100.0)
_WHEN: Final = re.compile(r"\s*(.+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*")

_Row = Mapping[str, Any]

# What the tools write that are told by their columns.
_TOOLS: Final = {
    "RAGAS": ("user_input response reference", "question contexts answer ground_truth"),
    "LLaMA-Factory": ("prompt predict label",),
    "ms-swift": ("response labels logprobs", "query response label history"),
    "verl": ("input output gts score", "input output score step"),
}


def is_table(file: RowsFile) -> bool:
    """Whether the rows are objects of which some column holds a prompt."""
    names = _columns(file)
    return any(name in names for name in _PROMPTS)


def read(file: RowsFile, choices: Choices = NO_CHOICES, tool: str | None = None) -> Report:
    """One pair a row that did not pass; raises DlmError where it is not clear what is what."""
    rows: list[tuple[int, dict[str, Any]]] = []
    for index, (line, row) in enumerate(file.rows):
        if not isinstance(row, dict):
            what = "this line is not a JSON object" if file.syntax == "jsonl" else ""
            raise file.error(line, what or f"entry {index + 1} is not an object")
        rows.append((line, _renamed(row)))
    table = _Table(file, rows, choices)
    tally = Tally(tool or table.tool, choices)
    for line, row in rows:
        told = [tally.counts(provider, verdict) for provider, verdict in table.verdicts(row)]
        if not any(told):
            continue
        name = str(next((row[key] for key in _NAMES if row.get(key)), f"line-{line}"))
        tally.add(name, table.pair(line, row, name))
    if table.presumed:
        tally.notes.append(table.presumed)
    return tally.report()


class _Table:
    """The rows of a file, and which of their columns hold what."""

    def __init__(
        self, file: RowsFile, rows: list[tuple[int, dict[str, Any]]], choices: Choices
    ) -> None:
        self._file = file
        self._names = {name for _, row in rows for name in row}
        self._rows = [row for _, row in rows]
        self.tool = next((tool for tool in _TOOLS if self._is_of(tool)), "file")
        said = choices.failed_when
        self._fails = _condition(said, self._column) if said else None
        self._prompts = self._prompt_columns(choices)
        self._reference = self._reference_column(choices)
        self._said = [
            name
            for name in (*_SIGNS["what a model said"], *_EITHER)
            if name in self._names and name != self._reference
        ]
        self._verdicts = [name for name in _VERDICTS if self._tells(name)]
        self._metrics = self._full_scores()
        self._apart = self._verdicts_apart()

    def provider(self, row: _Row) -> str:
        """Who answered, where the rows say it."""
        named = (row.get(key) for key in ("provider", "model", "model_name", "model_id"))
        return next((name for value in named if (name := text_of(value))), "")

    def verdicts(self, row: _Row) -> list[tuple[str, str]]:
        """Who answered, and pass, fail or error; several where each has a column of its own."""
        if self._fails is None and len(self._apart) > 1:
            return [
                (provider, _verdict_of(row.get(column)) or "error")
                for provider, column in self._apart.items()
            ]
        return [(self.provider(row), self.verdict(row))]

    def verdict(self, row: _Row) -> str:
        """pass, fail or error, by the plainest column that says so; fail where none does."""
        if self._fails is not None:
            return "fail" if self._fails(row) else "pass"
        for name in self._verdicts:
            if verdict := _verdict_of(row.get(name)):
                return verdict
        if text_of(row.get("error")) and not self._metrics:
            return "error"
        scores = {name: _number(row.get(name)) for name in self._metrics}
        known = {name: score for name, score in scores.items() if score is not None}
        if any(score >= self._metrics[name] for name, score in known.items()):
            return "pass"
        if scores and not known:
            return "error"
        said = {_plain(text) for name in self._said for text in answers_of(row.get(name))}
        right = {_plain(text) for text in answers_of(row.get(self._reference))}
        return "pass" if said & right else "fail"

    @property
    def presumed(self) -> str:
        """What the verdicts rest on where no column says pass or fail."""
        if self._fails or self._verdicts or not (self._metrics or self._said):
            return ""
        by = (
            f"rows below full marks in {_list(sorted(self._metrics))}"
            if self._metrics
            else f"rows whose {_list(self._said)} is not the reference"
        )
        return f"no column says pass or fail: {by} count as failed; --failed-when says otherwise"

    def pair(self, line: int, row: _Row, name: str) -> Recovered | str:
        """The pair of a row, or why there is none."""
        where = f"{self._file.path}:{line}"
        try:
            question = self._question(row)
        except Unclear as error:
            return f"{where}: {error}"
        if question is None:
            return f"{where}: this row has no prompt"
        answers = answers_of(row.get(self._reference))
        if not answers:
            return f"{where}: this row has no reference"
        confidence = _number(row.get("confidence"))
        scores = {
            key: value
            for key in dict.fromkeys(("score", *self._metrics))
            if (value := _number(row.get(key))) is not None
        }
        sure = 1.0 if confidence is None else confidence
        return Recovered(
            question, answers[0], name, f"{self._reference} of line {line}", sure, scores
        )

    def _question(self, row: _Row) -> str | None:
        if {"instruction", "input"} <= set(self._prompts) and self._prompts[0] == "instruction":
            parts = [text for key in ("instruction", "input") if (text := text_of(row.get(key)))]
            return "\n\n".join(parts) or None
        for column in self._prompts:
            value = row.get(column)
            if column in ("messages", "conversation") and isinstance(value, list):
                if value and isinstance(value[-1], dict) and value[-1].get("role") == "assistant":
                    value = value[:-1]  # the answer that is judged
                return question_of(value)
            if isinstance(value, list | dict) or text_of(value):
                return question_of(value)
        return None

    def _prompt_columns(self, choices: Choices) -> list[str]:
        if choices.prompt_field:
            return [self._column(choices.prompt_field)]
        found = [name for name in _PROMPTS if name in self._names]
        if not found:
            raise self._file.error(
                1, f"the first line names no column for the prompt among {self._listed()}"
            )
        if "instruction" in found and not {"prompt", "question", "query"} & set(found):
            found.remove("instruction")
            found.insert(0, "instruction")
        return found

    def _reference_column(self, choices: Choices) -> str:
        """The column that holds the reference; raises DlmError where none can be nothing else."""
        if choices.reference_field:
            return self._column(choices.reference_field)
        filled = {name for row in self._rows for name, value in row.items() if answers_of(value)}
        for name in _REFERENCES:
            if name in filled and not self._is_verdict(name):
                return name
        either, signs = [name for name in _EITHER if name in filled], sorted(self._signs())
        if len(either) == 1 and not signs:
            return either[0]
        what = f"no column for the reference is named among {self._listed()}"
        if either:
            what = f"{_list(either)} may be what the model said"
            if signs:
                what += f", since the file also has {_list(signs)}"
        raise DlmError(
            f"{self._file.path}:1: {what}",
            hint="say what is what with --prompt-field, --reference-field and --failed-when",
        )

    def _signs(self) -> list[str]:
        """The columns that speak of an evaluation: scores, verdicts, contexts, who answered."""
        known = {name for names in _SIGNS.values() for name in names}
        known.update(_VERDICTS[:-1], _SCORES)
        either = set(_EITHER)
        return [
            name
            for name in self._names - either
            if name not in _PROMPTS
            and (name in known or _METRIC.search(name) or self._is_verdict(name))
        ]

    def _is_verdict(self, name: str) -> bool:
        """Whether a column called `label` says right or wrong of a completion beside it."""
        values = [row.get(name) for row in self._rows if row.get(name) is not None]
        told = [str(value).strip().lower() for value in values]
        judged = {"pass", "fail", "passed", "failed", "correct", "incorrect", "wrong"}
        if values and all(word in judged for word in told):
            return True
        if name not in ("label", "labels") or not all(value in (0, 1) for value in values):
            return False
        if "completion" in self._names and all(isinstance(value, bool) for value in values):
            return True  # as trainers on liked and disliked completions write it
        said = [answers_of(row.get(key)) for row in self._rows for key in _EITHER]
        return any(" " in text for texts in said for text in texts[:1])

    def _tells(self, name: str) -> bool:
        """Whether a column holds verdicts; one called `status` may hold anything."""
        values = [_verdict_of(row[name]) for row in self._rows if row.get(name) not in (None, "")]
        return any(values) and (name not in _VAGUE or all(values))

    def _verdicts_apart(self) -> dict[str, str]:
        """The verdict column of each provider, where every one has its own.

        They share a name (`Status`, after the column of the answers), or end alike (`a_passed`).
        """
        names = [_snake(name) for name in self._rows[0]] if self._rows else []
        found: dict[str, str] = {}
        for at, name in enumerate(names):
            plain, _, number = name.partition(":")
            alike = re.fullmatch(r"(.+?)[_. ](status|passed|pass|correct|is_correct|verdict)", name)
            if plain in _VERDICTS and (number or f"{plain}:2" in names) and self._tells(name):
                found[names[at - 1] if at else name] = name
            elif alike and name not in _VERDICTS and self._tells(name):
                found[alike[1]] = name
        return found

    def _full_scores(self) -> dict[str, float]:
        """The score columns with what is full marks in them, by the largest value there is."""
        found: dict[str, float] = {}
        for name in self._names:
            if _base(name) in _SCORES:
                values = [number for row in self._rows if (number := _number(row.get(name)))]
                most = max(values, default=1.0)
                found[name] = next((scale for scale in _SCALES if most <= scale), most)
        return found

    def _is_of(self, tool: str) -> bool:
        return any(set(names.split()) <= self._names for names in _TOOLS[tool])

    def _column(self, said: str) -> str:
        name = _snake(said)
        if name not in self._names:
            raise self._file.error(1, f"there is no column {said!r} among {self._listed()}")
        return name

    def _listed(self) -> str:
        return _list(sorted(self._names)[:20]) or "none"


def _columns(file: RowsFile) -> set[str]:
    return {name for _, row in file.rows[:50] if isinstance(row, dict) for name in _renamed(row)}


def _renamed(row: _Row) -> dict[str, Any]:
    """The row with its columns in one spelling, and objects within it by `outer.inner` too."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        found.setdefault(_snake(str(key)), value)
        for inner, item in value.items() if isinstance(value, dict) else ():
            found.setdefault(f"{_snake(str(key))}.{_snake(str(inner))}", item)
    return found


def _snake(name: str) -> str:
    """`Expected Output`, `expectedOutput` and `expected-output` as `expected_output`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s-]+", "_", name).lower()


def _base(name: str) -> str:
    """The name of a metric without its mode: `factual_correctness(mode=f1)`."""
    return name.split("(", 1)[0].split(",", 1)[0]


def _verdict_of(value: object) -> str:
    """pass, fail, error, or nothing for a value that is no verdict."""
    return _VERDICT_OF.get(str(value).strip().lower(), "") if value is not None else ""


def _condition(said: str, column: Callable[[str], str]) -> Callable[[_Row], bool]:
    """Whether a row failed, by `--failed-when`."""
    match = _WHEN.fullmatch(said)
    if match is None:
        raise DlmError(
            f"--failed-when {said!r} is no condition",
            hint="write it as correct=false, verdict!=pass or score<0.5",
        )
    name, sign, value = column(match[1]), match[2], match[3].strip("'\"")
    bound = _number(value)
    if sign in ("<", "<=", ">", ">=") and bound is None:
        raise DlmError(f"--failed-when {said!r} compares with no number", hint="as in score<0.5")

    def fails(row: _Row) -> bool:
        have = row.get(name)
        number = _number(have)
        if sign in ("=", "==", "!="):
            same = str(have).strip().lower() == value.lower()
            same = same or (number is not None and number == bound)
            return same is (sign != "!=")
        if number is None or bound is None:
            return False
        return (
            number < bound or (sign == "<=" and number == bound)
            if sign[0] == "<"
            else number > bound or (sign == ">=" and number == bound)
        )

    return fails


def _number(value: object) -> float | None:
    """A number, also as text, as CSV holds it."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%"))
        except ValueError:
            return None
    return number_of(value)


def _plain(text: str) -> str:
    """A text as it is compared: without case, outer marks and repeated white space."""
    return " ".join(text.lower().split()).strip(" .!?\"'")


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
