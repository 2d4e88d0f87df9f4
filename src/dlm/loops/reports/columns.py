"""Which column of a table of evaluations holds what, told by its name and by what stands in it.

What a model said is never taken for the reference: a name that may mean either counts only where
nothing in the table speaks of an evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from dlm.errors import DlmError
from dlm.loops.reports.values import Choices, answers_of, cell_number, plain, text_of, words

PROMPTS: Final = words(
    "prompt question query user_input problem user_query user_question instruction input inputs "
    "messages conversation"
)
# Names of what an answer should be, best first; then names that as often mean what a model said.
REFERENCES: Final = words(
    "reference reference_answer reference_answers references ground_truth ground_truths "
    "groundtruth ground_truth_answer gold gold_answer gold_answers golden golden_answer "
    "golden_answers correct_answer correct_answers correct_response correct_label expected "
    "expected_answer expected_output expected_response expected_result expected_completion ideal "
    "ideal_answer gts gt answer_key true_answer truth target targets target_answer label labels"
)
_CLEAR: Final = REFERENCES[: REFERENCES.index("gts")]  # also within an object
_LIKE_THEM: Final = re.compile(
    r"(?:gold(?:en)?|ground_?truth|reference|expected|correct|ideal|target|true|desired)_"
    r"(?:answer|output|response|completion|label|result|value|solution|standard)s?"
)
_EITHER: Final = words(
    "answer answers output outputs completion completions response responses result solution"
)
# Columns that only an evaluation, or a log of answers, has: what a model said, then the rest.
_SAID: Final = words(
    "prediction predictions predicted predict predicted_answer pred preds model_output "
    "model_answer model_response generated generation generations generated_answer generated_text "
    "actual actual_output actual_answer sampled picked hypothesis candidate student_answer "
    "llm_answer llm_output llm_response bot_answer system_answer assistant_response"
)
_SIGNS: Final = words(
    "context contexts retrieved_contexts retrieval_context reference_contexts documents "
    "retrieved_documents model model_name model_id provider engine judge judge_model deployment "
    "latency latency_ms duration cost tokens total_tokens usage token_usage finish_reason "
    "stop_reason logprobs temperature step error messages history trace_id run_id session_id "
    "feedback critique explanation chosen rejected"
)
# Columns that say whether a row passed, the plainest first; those called vaguely may hold anything.
_VERDICTS: Final = words(
    "passed pass correct is_correct verdict is_pass is_passed success grade judgement judgment "
    "outcome evaluation match is_match status result"
)
_INVERSE: Final = words("failed is_failed failure wrong is_wrong incorrect is_incorrect")
_VAGUE: Final = words("success outcome evaluation match is_match status result")
_SCORES: Final = words(
    "score scores acc accuracy exact_match em f1 rouge rouge_l rouge1 rouge_1 rouge2 rouge_2 bleu "
    "bleu4 bleu_4 reward similarity semantic_similarity answer_similarity answer_correctness "
    "factual_correctness correctness llm_score rating grade"
)
_TOLD: Final = words(
    "pass fail passed failed correct incorrect wrong"
)  # whatever the column is called
_METRIC: Final = re.compile(
    r"faithfulness|relevanc|precision|recall|correctness|similarity|_score|rouge|bleu|accuracy|"
    r"_(?:answer|response|output|completion|prediction|reply)s?$"  # of whom?
)
_WORDS: Final = {
    "pass": "pass passed ok true 1 1.0 yes y success correct right match matched [pass] ✓ ✔ ✅ "
    "wahr vrai verdadero vero",  # as spreadsheets in other languages write what is true
    "fail": "fail failed false 0 0.0 no n failure incorrect wrong mismatch [fail] ✗ ✘ ❌ "
    "falsch faux falso partial not_attempted",
    "error": "error errored timeout skipped [error] exception",
}
_VERDICT_OF: Final = {word: verdict for verdict, words in _WORDS.items() for word in words.split()}
# What the tools write that are told by their columns.
_TOOLS: Final = {
    "RAGAS": ("user_input response", "question contexts answer", "question answer ground_truth"),
    "LLaMA-Factory": ("prompt predict label",),
    "ms-swift": ("response labels logprobs", "query response label history"),
    "verl": ("input output gts score", "input output score step"),
}
_SCALES: Final = (1.0, 5.0, 10.0, 100.0)
_WHEN: Final = re.compile(r"\s*(.+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*")

Row = Mapping[str, Any]


class Columns:
    """The columns of a table by what they hold: `prompts`, `reference`, `said`, `scores`.

    Made with a function that makes the error of the file. Raises DlmError, naming the columns,
    where it is not clear what is what. `tool` is who writes tables with such columns, if known.
    """

    def __init__(
        self, rows: Sequence[Row], choices: Choices, error: Callable[[str, str | None], DlmError]
    ) -> None:
        self._rows, self._error = rows, error
        self.names = {name for row in rows for name in row}
        self.tool = next((tool for tool in _TOOLS if self._is_of(tool)), "")
        said = choices.failed_when
        self._fails = _condition(said, self._named) if said else None
        self.prompts = self._prompts(choices)
        self.reference = self._reference(choices)
        self.said = [
            name for name in (*_SAID, *_EITHER) if name in self.names and name != self.reference
        ]
        self._verdicts = [] if self._fails else self._all_verdicts()
        self.scores = {} if self._fails else self._full_marks()
        apart = {} if self._fails else self._verdicts_apart()
        self._apart = {} if {*self._verdicts} - {*apart.values()} else apart

    def verdicts(self, row: Row) -> dict[str, str]:
        """pass, fail or error, by who answered; several where each has a column of its own."""
        if self._apart:
            return {who: verdict_of(row.get(name)) or "error" for who, name in self._apart.items()}
        named = (row.get(key) for key in ("provider", "model", "model_name", "model_id"))
        return {next((who for value in named if (who := text_of(value))), ""): self._verdict(row)}

    @property
    def presumed(self) -> str:
        """What the verdicts rest on where no column says pass or fail."""
        if self._fails or self._verdicts or self._apart:
            return ""
        marks = ", ".join(f"{name!r} ({full:g})" for name, full in sorted(self.scores.items()))
        unread = sorted(name for name in self.names if self._holds_only(name, "true false"))
        if marks:
            by = f"rows below full marks in {marks}"
        elif self.said:
            by = f"rows whose {listed(self.said)} is not the reference"
        elif unread:
            by = f"all rows, whatever {listed(unread)} says,"
        else:
            return ""
        return f"no column says pass or fail: {by} count as failed; --failed-when says otherwise"

    def _verdict(self, row: Row) -> str:
        """By the plainest column that says so; fail where none does."""
        if self._fails is not None:
            return "fail" if self._fails(row) else "pass"
        told = {name: _judged(name, row.get(name)) for name in self._verdicts}
        silent = self.said and not any(answers_of(row.get(name)) for name in self.said)
        broken = text_of(row.get("error")) and (silent or not any(told.values()))
        if broken or "error" in told.values():
            return "error"
        for name, verdict in told.items():
            if verdict and not (self.scores and name in _VAGUE):
                return verdict
        marks = {name: cell_number(row.get(name)) for name in self.scores}
        known = {name: mark for name, mark in marks.items() if mark is not None}
        if known:
            return (
                "pass" if any(mark >= self.scores[name] for name, mark in known.items()) else "fail"
            )
        if self.scores or any(name in row and row[name] is None for name in told):
            return "error"  # the judge gave no verdict
        said = {plain(text) for name in self.said for text in answers_of(row.get(name))}
        right = {plain(text) for text in answers_of(row.get(self.reference))}
        return "pass" if said & right else "fail"

    def _prompts(self, choices: Choices) -> list[str]:
        if choices.prompt_field:
            return [self._named(choices.prompt_field)]
        found = [*_of(PROMPTS, self.names), *_within(PROMPTS, self.names)]
        if not found:
            raise self._error(
                f"the table names no column for the prompt among {self._listed()}", _HINT
            )
        if "instruction" in found and not {"prompt", "question", "query"} & set(found):
            found.remove("instruction")
            found.insert(0, "instruction")
        return found

    def _reference(self, choices: Choices) -> str:
        """The column that holds the reference, and can hold nothing else."""
        if choices.reference_field:
            return self._named(choices.reference_field)
        filled = {name for row in self._rows for name, value in row.items() if answers_of(value)}
        clear = [*_of(REFERENCES, self.names), *_within(_CLEAR, self.names)]
        clear += sorted(
            name
            for name in self.names
            if _LIKE_THEM.fullmatch(name.rpartition(".")[0] or name)  # `reference_outputs.answer`
        )
        for name in clear:
            if name in filled and not self._is_verdict(name):
                return name
        either = _of(_EITHER, filled)
        signs = sorted({*self._signs(), *clear})
        if len(either) == 1 and not signs:
            return either[0]
        what = f"no column for the reference is named among {self._listed()}"
        if either:
            what = f"{listed(either)} may be what the model said"
            if signs:
                what += f", since the file also has {listed(signs)}"
        preferences = {"chosen", "rejected"} <= self.names
        raise self._error(what, _PREFERENCES if preferences else _HINT)

    def _signs(self) -> list[str]:
        """The columns that speak of an evaluation: scores, verdicts, contexts, who answered."""
        known = {*_SAID, *_SIGNS, *_VERDICTS[:-1], *_INVERSE, *_SCORES} - {*_EITHER}
        found = [
            name
            for name in self.names - {*_EITHER} - {*PROMPTS[:-2]}
            if name.rpartition(".")[2] in known or _METRIC.search(name) or self._is_verdict(name)
        ]
        return found or [name for name in PROMPTS if self.tool and name in self.names]

    def _is_verdict(self, name: str) -> bool:
        """Whether a column called `label` says right or wrong of a completion beside it."""
        if self._holds_only(name, " ".join(_TOLD)):
            return True
        if not self._holds_only(name, "0 1 true false"):
            return False
        if name not in ("label", "labels", "target"):
            return False
        if {"completion", "completions"} & self.names and self._holds_only(name, "true false"):
            return True  # as trainers on liked and disliked completions write it
        said = [answers_of(row.get(key)) for row in self._rows for key in (*_EITHER, *_SAID)]
        return any(" " in text for texts in said for text in texts[:1])

    def _all_verdicts(self) -> list[str]:
        """The columns that hold verdicts; raises DlmError where one holds what nobody can read."""
        found = []
        names = [
            *_of((*_VERDICTS, *_INVERSE), self.names),
            *_within((*_VERDICTS[:8], *_INVERSE), self.names),
            *sorted(name for name in self.names if self._holds_only(name, " ".join(_TOLD))),
        ]
        for name in dict.fromkeys(names):
            values = [row[name] for row in self._rows if row.get(name) not in (None, "")]
            marks = [cell_number(value) for value in values]
            if name == self.reference or any(mark is not None and mark > 1 for mark in marks):
                continue  # points, and no verdict
            sure = name in _VERDICTS and name not in _VAGUE
            if self._tells(name) or (sure and not values):
                found.append(name)
            elif sure and not any(isinstance(value, dict) for value in values):
                seen = listed(dict.fromkeys(str(value)[:20] for value in values[:3]))
                raise self._error(f"{name!r} says {seen}, neither pass nor fail", _HINT)
        return found

    def _holds_only(self, name: str, known: str) -> bool:
        """Whether a column holds some of these words, and nothing else."""
        cells = [row[name] for row in self._rows if row.get(name) not in (None, "")]
        parts = [part for cell in cells for part in (cell if isinstance(cell, list) else [cell])]
        return bool(parts) and {str(part).strip().lower() for part in parts} <= {*known.split()}

    def _tells(self, name: str) -> bool:
        """Whether a column holds verdicts; one called `status` may hold anything."""
        values = [verdict_of(row[name]) for row in self._rows if row.get(name) not in (None, "")]
        sure = name.partition(":")[0] not in (*_VAGUE, *_INVERSE)
        return any(values) and (sure or all(values))

    def _verdicts_apart(self) -> dict[str, str]:
        """The verdict column of each provider, where every one has its own.

        They share a name (`Status`, after the column of the answers), or end alike (`a_passed`).
        """
        names = list(self._rows[0]) if self._rows else []
        found: dict[str, str] = {}
        for at, name in enumerate(names):
            alone, _, number = name.partition(":")
            alike = re.fullmatch(r"(.+?)[_. ](status|passed|pass|correct|is_correct|verdict)", name)
            if alone in _VERDICTS and (number or f"{alone}:2" in names) and self._tells(name):
                found[names[at - 1] if at else name] = name
            elif alike and name not in _VERDICTS and self._tells(name):
                found[alike[1]] = name
        return found

    def _full_marks(self) -> dict[str, float]:
        """The score columns with what is full marks in them, by the largest value there is."""
        found: dict[str, float] = {}
        unread: list[str] = []
        for name in self.names - {self.reference, *self._verdicts}:
            base, *_mode = re.split(r"[(,:]", name)  # as in `correctness(mode=f1)`
            if base in _SCORES or base.rpartition(".")[2] in _SCORES[:-1]:
                cells = [row[name] for row in self._rows if row.get(name) not in (None, "")]
                numbers = [mark for cell in cells if (mark := cell_number(cell)) is not None]
                if cells and not numbers:
                    unread.append(name)
                    continue
                most = max(numbers, default=1.0)
                found[name] = next((scale for scale in _SCALES if most <= scale), most)
        if unread and not (found or self._verdicts):
            raise self._error(f"{listed(sorted(unread))} holds no number and no verdict", _HINT)
        return found

    def _is_of(self, tool: str) -> bool:
        return any(set(names.split()) <= self.names for names in _TOOLS[tool])

    def _named(self, said: str) -> str:
        name = snake(said)
        if name not in self.names:
            raise self._error(f"there is no column {said!r} among {self._listed()}", None)
        return name

    def _listed(self) -> str:
        return listed(sorted(self.names)[:20]) or "none"


_HINT: Final = "say what is what with --prompt-field, --reference-field and --failed-when"
_PREFERENCES: Final = "these are preferences: `dlm preference import` reads them"


def snake(name: str) -> str:
    """`Expected Output`, `expectedOutput` and `expected-output` as `expected_output`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s-]+", "_", name).lower()


def listed(names: Iterable[str]) -> str:
    """Names as a message has them."""
    return ", ".join(repr(name) for name in names)


def verdict_of(value: object) -> str:
    """pass, fail, error, or nothing for a value that is no verdict."""
    return _VERDICT_OF.get(str(value).strip().lower(), "") if value is not None else ""


def _judged(name: str, value: object) -> str:
    """The verdict in a column of verdicts, where a word that is not known is no pass."""
    verdict = "" if value in (None, "") else verdict_of(value) or "fail"
    turned = {"pass": "fail", "fail": "pass"} if name.rpartition(".")[2] in _INVERSE else {}
    return turned.get(verdict, verdict)


def _of(known: Sequence[str], names: Iterable[str]) -> list[str]:
    there = set(names)
    return [name for name in known if name in there]


def _within(known: Sequence[str], names: Iterable[str]) -> list[str]:
    """The columns that stand in an object (`inputs.question`), in the order of the known names."""
    inner = {name.rpartition(".")[2]: name for name in sorted(names, reverse=True) if "." in name}
    return [inner[name] for name in known if name in inner]


def _condition(said: str, column: Callable[[str], str]) -> Callable[[Row], bool]:
    """Whether a row failed, by `--failed-when`."""
    match = _WHEN.fullmatch(said)
    if match is None:
        raise DlmError(
            f"--failed-when {said!r} is no condition",
            hint="write it as correct=false, verdict!=pass or score<0.5",
        )
    name, sign, value = column(match[1]), match[2], match[3].strip("'\"")
    bound = cell_number(value)
    if sign[0] in "<>" and bound is None:
        raise DlmError(f"--failed-when {said!r} compares with no number", hint="as in score<0.5")

    def fails(row: Row) -> bool:
        have = row.get(name)
        number = cell_number(have)
        if sign in ("=", "==", "!="):
            same = str("" if have is None else have).strip().lower() == value.lower()
            return (same or (number is not None and number == bound)) is (sign != "!=")
        if number is None or bound is None:
            return False
        if number == bound:
            return sign.endswith("=")
        return number < bound if sign[0] == "<" else number > bound

    return fails
