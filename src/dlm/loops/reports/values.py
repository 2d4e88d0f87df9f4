"""What a report of an evaluation tool gives, as plain values. Knows no format and no document."""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dlm.doc.document import Document
from dlm.errors import DlmError
from dlm.loops.edits import NewPair
from dlm.loops.proposals import Proposal, Unused
from dlm.text.cleaning import split_reasoning


@dataclass(frozen=True, slots=True)
class Report:
    """All that one file says: `probes` were asked, `failing` of them failed.

    `notes` are worth saying and no failure.
    """

    tool: str
    probes: int
    failing: int
    found: tuple[Proposal, ...] = ()
    unusable: tuple[Unused, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user says of a report that does not say it: which column is what, who is asked.

    `failed_when` is a column with `=`, `!=`, `<`, `<=`, `>` or `>=` and a value; `document` is the
    one that was evaluated.
    """

    prompt_field: str | None = None
    reference_field: str | None = None
    failed_when: str | None = None
    provider: str | None = None
    document: Document | None = None


NO_CHOICES: Final = Choices()


class Unclear(ValueError):
    """A failure that gives no question with one answer, and why."""


class Tally:
    """What is gathered while the rows of a report are read: verdicts by provider, and pairs."""

    def __init__(self, tool: str, choices: Choices = NO_CHOICES) -> None:
        self.notes: list[str] = []
        self._tool, self._wanted = tool, choices.provider
        self._seen: dict[str, Counter[str]] = {}
        self._found: list[Proposal] = []
        self._unusable: list[Unused] = []

    def take(
        self,
        name: str,
        verdicts: Mapping[str, str],
        pair: Callable[[], Proposal],
        said: object = None,
    ) -> None:
        """Count a row: pass, fail or error for each provider; and take its pair where one failed.

        `pair` raises Unclear where there is none; `said` is what the model answered, where known.
        """
        for provider, verdict in verdicts.items():
            self._seen.setdefault(provider, Counter())[verdict] += 1
        if not any(verdict == "fail" and self._is_wanted(who) for who, verdict in verdicts.items()):
            return
        try:
            found = pair()
            right = found.content.answer if isinstance(found.content, NewPair) else ""
            if len(verdicts) == 1 and plain(right) in map(plain, answers_of(said)):
                raise Unclear("the model said the reference: it failed for another reason")
            self._found.append(found)
        except Unclear as error:
            self._unusable.append(Unused(name, str(error)))

    def report(self) -> Report:
        """All that was gathered; raises DlmError where the wanted provider was not seen."""
        kept = [told for name, told in self._seen.items() if self._is_wanted(name)]
        if self._wanted and not kept:
            known = ", ".join(sorted(filter(None, self._seen))) or "none is named"
            raise DlmError(
                f"the report holds no answers of {self._wanted!r}", hint=f"its providers: {known}"
            )
        total, errors = (sum(told.total() for told in kept), sum(told["error"] for told in kept))
        notes = list(self.notes)
        if len(self._seen) > 1 and not self._wanted:
            each = "; ".join(
                f"{name or 'unnamed'} failed {told['fail']} of {told.total()}"
                + (f" and errored {told['error']}" if told["error"] else "")
                for name, told in self._seen.items()
            )
            notes.append(f"{len(self._seen)} providers: {each}; --provider NAME takes one of them")
        if errors:
            notes.append(
                f"{errors} of {total} got no answer or no verdict: no failure of the model"
            )
        failing = sum(told["fail"] for told in kept)
        found, unusable = tuple(self._found), tuple(self._unusable)
        return Report(self._tool, total, failing, found, unusable, tuple(notes))

    def _is_wanted(self, provider: str) -> bool:
        """Whether a provider is meant: by its label, its id, or the last part of its id."""
        if self._wanted is None:
            return True
        names = [provider, *provider.removesuffix(")").split(" (")]
        return self._wanted.lower() in {
            part.lower() for name in names for part in (name, name.rsplit(":", 1)[-1])
        }


_END: Final = re.compile(r"(?:\s*(?:<[|｜][^<>|｜\s]{2,40}[|｜]>|</s>|<end_of_turn>))+\s*\Z")
_WRITTEN: Final = {"[": "]", "(": ")", "{": "}"}  # how the text of a list or an object is bounded
_NO_COMMA: Final = re.compile(r"(?<=[\w.!?])(['\"])\s+(?=['\"])")  # as numpy writes a list of texts
_WITHIN: Final = ("value", "text", "answer", "target", "ground_truth", "output", "content")


def words(text: str) -> tuple[str, ...]:
    """The names that a line lists."""
    return tuple(text.split())


def plain(text: str) -> str:
    """A text as it is compared: without case, outer marks and repeated white space."""
    return " ".join(text.lower().split()).strip(" .!?\"'")


def text_of(value: object) -> str | None:
    """A text that says something, without the white space around it; None for anything else."""
    return value.strip() or None if isinstance(value, str) else None


def number_of(value: object) -> float | None:
    """A finite number; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def numbers(values: Mapping[str, Any], *names: str) -> dict[str, float]:
    """Those of the named values that are numbers."""
    found = {name: number_of(values.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def cell_number(value: object) -> float | None:
    """A number, also as a table holds it: true and false, `0,5`, `80%`."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        text = value.strip().removesuffix("%").lower()
        text = {"true": "1", "false": "0"}.get(text, text)
        try:
            value = float(re.sub(r"\A(-?\d+),(\d+)\Z", r"\1.\2", text))
        except ValueError:
            return None
    return number_of(value)


def object_of(value: object) -> dict[str, Any]:
    """The object that a value is, or an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The list that a value is, or an empty one."""
    return value if isinstance(value, list) else []


def objects_of(value: object) -> list[dict[str, Any]]:
    """The objects in the list that a value is; none for anything else."""
    return [item for item in list_of(value) if isinstance(item, dict)]


def answers_of(value: object) -> list[str]:
    """The accepted answers that a value holds, the first one best: texts, numbers, true and false.

    Lists of them, the Python or JSON text of such a list, and the objects in which question sets
    keep them (`value` with `aliases`, `text` with `answer_start`) are read too. What a model
    thought before it answered, and the mark that ends its turn, are no part of an answer.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in _WITHIN if value.get(key) not in (None, "")), None)
    if isinstance(value, str):
        text = text_of(_END.sub("", split_reasoning(value)[1]))
        if text is None or text.lower() in ("nan", "<na>"):
            return []
        written = _written(text) if _WRITTEN.get(text[0]) == text[-1] else None
        return [text] if written is None else answers_of(written)
    if isinstance(value, list | tuple):
        return [answer for item in value for answer in answers_of(item)[:1]]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)] if isinstance(value, int) or number_of(value) is not None else []


def _written(text: str) -> object:
    """The list or object of answers that a text writes out in Python or JSON; None for others."""
    try:
        value = ast.literal_eval(_NO_COMMA.sub(r"\1, ", text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, dict):
        return value if any(key in value for key in _WITHIN) else None
    simple = isinstance(value, list | tuple) and all(
        isinstance(each, str | int | float | list | tuple) for each in value
    )
    return value if simple else None
