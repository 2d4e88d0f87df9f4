"""Puts questions and texts to a loaded model, with its adapter and without.

The only part of the evaluation that runs a model; what comes of it are plain items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlm.base_models import BaseModel
from dlm.data.chat import Codec, Encoded
from dlm.data.general import held_out_texts
from dlm.data.lessons import Lesson, lessons_of
from dlm.data.rows import general_rows, prose_rows, sequence_length
from dlm.doc.document import Document
from dlm.engine.decoding import generate
from dlm.engine.model import Model, Score
from dlm.eval.answers import Answer, Item, Kind, Loss, opening
from dlm.eval.base_memory import BaseMemory
from dlm.eval.open_notes import with_notes_open
from dlm.eval.probes import FULL, Budget, Question, Sheet, question_sheet
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.eval.sizing import WRITTEN, Costs, sized
from dlm.hardware import detect, plan_answers
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.working import Tell, part, untold

_BOUNDS = (32, 64, 128, 256, 512)  # tokens an answer may take: the first that is long enough
_ROOM = 1.5  # times the length of the reference
_DRIFT_LENGTH = 128  # tokens a general text


def measure_version(
    store: Store,
    version: Version,
    document: Document,
    base: BaseModel,
    folder: Path,
    tell: Tell = untold,
) -> Scorecard:
    """The scorecard of a version on the document as it stands; takes a model into memory.

    Raises CorruptStore when the version is damaged, and what `lessons_of` raises.
    """
    sheet = question_sheet(lessons_of(document))
    store.verify(version)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    with store.in_use(version):
        model = Model.load(folder, plan_answers(detect(), base), adapter=version.path)
    length = sequence_length(document.frontmatter.training, codec.context_length)
    evaluator = Evaluator(model, codec)
    evaluator.tell = tell
    card = evaluator.measure(sheet, codec, document_sha256=document.sha256, sequence_length=length)
    return with_notes_open(card, document, base, tell)


class Evaluator:
    """Measures one loaded model, and leaves it as it was.

    What the frozen base makes of a row of tokens is computed once and kept; of what every document
    is measured with, from one process to the next. `tell` is told how far it is.
    """

    def __init__(self, model: Model, codec: Codec) -> None:
        self._model, self._pad_id = model, codec.pad_id
        self.tell: Tell = untold
        self._base: dict[tuple[int, ...], Score] = {}
        self._now: dict[tuple[int, ...], Score] = {}  # after `_steps` of the model
        self._steps = model.steps
        rows = general_rows(held_out_texts(), codec, _DRIFT_LENGTH)
        self._texts: list[Encoded] = [row.encoded for row in rows]
        assert model.folder is not None
        self.memory = BaseMemory.of(model.folder, model.plan.device, model.plan.dtype)

    def measure(
        self,
        sheet: Sheet,
        codec: Codec,
        budget: Budget = FULL,
        *,
        document_sha256: str,
        sequence_length: int,
        rows: Mapping[str, Encoded] | None = None,
    ) -> Scorecard:
        """Score what is on the sheet, and generate answers, as far as the budget allows.

        `rows` are pairs that are encoded already, by the id of their lesson. A pair that the base
        cannot read at once is left out, and the scorecard counts it.
        """
        if budget.tokens is not None:
            sheet = sized(sheet, budget.tokens, self._costs(codec, rows or {}))
        asked = self.ask(sheet.questions, codec, budget, rows=rows)
        items = [*asked, *self._prose(sheet.prose, codec, sequence_length)]
        items += self._general(sheet.texts)
        self.memory.keep()
        return scorecard(
            items,
            document_sha256=document_sha256,
            pairs=sheet.pairs,
            asked_pairs=sum(one.said is not None for one in asked if one.kind is Kind.TRAINED),
            too_long=len(sheet.questions) - len(asked),
        )

    def ask(
        self,
        questions: Sequence[Question],
        codec: Codec,
        budget: Budget = FULL,
        *,
        rows: Mapping[str, Encoded] | None = None,
    ) -> list[Item]:
        """The items of these questions, without those that the base cannot read at once.

        Where the reference is what greedy decoding gives, token for token, it is the answer.
        """
        found = [_asked(codec, question, rows or {}) for question in questions]
        asked = [one for one in found if len(one.row.ids) <= codec.context_length]
        losses = self._losses([one.row for one in asked], always=[one.general for one in asked])
        wanted = {place: one for place, one in enumerate(asked) if one.question.asked}
        known = {place for place, one in wanted.items() if losses[place].exact and one.direct}
        answers = {place: asked[place].known(losses[place]) for place in known}
        unknown = [place for place in wanted if place not in known][: budget.answers]
        spoken = self._spoken([asked[place] for place in unknown], codec, budget)
        general = [place for place, one in wanted.items() if one.question.kind is Kind.GENERAL]
        base_spoken = self._base_spoken([asked[place] for place in general], codec, budget)
        answers |= zip(unknown, self._judged(spoken, codec), strict=True)
        base_answers = self._judged(base_spoken, codec, always=True)
        base = dict(zip(general, base_answers, strict=True))
        return [
            one.item(loss, answers.get(place), base.get(place))
            for place, (one, loss) in enumerate(zip(asked, losses, strict=True))
        ]

    def drift(self, texts: int | None = None) -> float:
        """How much worse the first `texts` general texts are predicted than by the frozen base.

        In nats per token, on texts that are never trained on; 0 is no change, negative is better.
        """
        rows = self._texts[:texts]
        return _mean(self.scores(rows)) - _mean(self._base_scores(rows, always=True))

    def _general(self, texts: int) -> list[Item]:
        rows = self._texts[:texts]
        losses = self._losses(rows, always=[True] * len(rows))
        both = zip(held_out_texts()[:texts], losses, strict=True)
        return [Item(Kind.TEXT, "", opening(text), loss) for text, loss in both]

    def _costs(self, codec: Codec, rows: Mapping[str, Encoded]) -> Costs:
        """In tokens read; what the base makes of general questions and texts is known."""

        def question(one: Question) -> int:
            asked = _asked(codec, one, rows)
            read = len(asked.row.ids) * (1 if asked.general else 2)
            if not one.asked or one.kind is Kind.TRAINED:  # most of which need not be written
                return read
            return read + WRITTEN * sum(asked.row.supervised) + len(asked.row.ids)

        def prose(one: Lesson) -> int:
            return 2 * len(codec.encode(one.text))

        return Costs(question, max(len(row.ids) for row in self._texts), prose)

    def _prose(self, lessons: Sequence[Lesson], codec: Codec, length: int) -> list[Item]:
        """The losses of prose, each section's over all of its rows."""
        cut = [[row.encoded for row in prose_rows(one, codec, length)] for one in lessons]
        losses = iter(self._losses([row for rows in cut for row in rows]))
        return [
            Item(
                kind=Kind.PROSE,
                question="",
                reference=opening(lesson.text),
                fit=_joined([next(losses) for _ in rows]),
                section_id=lesson.section_id,
                line=lesson.line,
                lesson_id=lesson.id,
            )
            for lesson, rows in zip(lessons, cut, strict=True)
            if rows
        ]

    def _spoken(self, asked: Sequence[_Asked], codec: Codec, budget: Budget) -> list[_Spoken]:
        """Greedy answers of the model as it stands; questions with one bound in one batch."""
        longest = max((one.wanted for one in asked), default=0)
        bounds = [one.bound(budget, longest) for one in asked]
        spoken: dict[int, _Spoken] = {}
        for bound in sorted(set(bounds)):
            group = [place for place, own in enumerate(bounds) if own == bound]
            found = generate(
                self._model,
                [asked[place].prompt for place in group],
                max_new_tokens=bound,
                stop_ids=codec.stop_ids,
                pad_id=codec.pad_id,
                tell=part(self.tell, len(spoken), len(asked)),
            )
            for place, ids in zip(group, found, strict=True):
                spoken[place] = _Spoken(asked[place], ids, len(ids) < bound)
        return [spoken[place] for place in range(len(asked))]

    def _base_spoken(self, asked: Sequence[_Asked], codec: Codec, budget: Budget) -> list[_Spoken]:
        """Greedy answers of the frozen base to general questions, from memory where they are."""
        bounds = [one.bound(budget, one.wanted) for one in asked]
        both = zip(asked, bounds, strict=True)
        known = [self.memory.answer(one.prompt, bound) for one, bound in both]
        missing = [place for place, ids in enumerate(known) if ids is None]
        if missing:
            with self._model.base_only():
                spoken = self._spoken([asked[place] for place in missing], codec, budget)
            for place, one in zip(missing, spoken, strict=True):
                known[place] = one.ids
                self.memory.note_answer(one.asked.prompt, bounds[place], one.ids)
        return [
            _Spoken(one, ids or [], len(ids or []) < bound)
            for one, ids, bound in zip(asked, known, bounds, strict=True)
        ]

    def _judged(
        self, spoken: Sequence[_Spoken], codec: Codec, *, always: bool = False
    ) -> list[Answer]:
        """Compare answers with their references, and let the base score them."""
        scores = self._base_scores([one.row for one in spoken], always=always)
        return [
            one.asked.answer(codec.decode(one.ids), one.finished, score.nll)
            for one, score in zip(spoken, scores, strict=True)
        ]

    def _losses(self, rows: Sequence[Encoded], always: Sequence[bool] = ()) -> list[Loss]:
        """With the adapter and without; those that are `always` measured, without from memory."""
        general = [row for row, one in zip(rows, always, strict=False) if one]
        self._base_scores(general, always=True)
        both = zip(self.scores(rows), self._base_scores(rows), strict=True)
        return [Loss(one.nll, base.nll, one.tokens, one.exact) for one, base in both]

    def scores(self, rows: Sequence[Encoded]) -> list[Score]:
        """Of the model as it stands; what was scored since its last step is not again."""
        if self._steps != self._model.steps:
            self._now, self._steps = {}, self._model.steps
        keys = [tuple(row.ids) for row in rows]
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in self._now}
        found = self._model.score(list(new.values()), pad_id=self._pad_id, tell=self.tell)
        self._now |= zip(new, found, strict=True)
        return [self._now[key] for key in keys]

    def _base_scores(self, rows: Sequence[Encoded], *, always: bool = False) -> list[Score]:
        keys = [tuple(row.ids) for row in rows]
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in self._base}
        if always:
            known = {key: self.memory.score(row) for key, row in new.items()}
            self._base |= {key: score for key, score in known.items() if score is not None}
            new = {key: row for key, row in new.items() if known[key] is None}
        if new:
            with self._model.base_only():
                rows_ = list(new.values())
                scores = self._model.score(rows_, pad_id=self._pad_id, tell=self.tell)
                found = dict(zip(new, scores, strict=True))
            self._base |= found
            for key in new if always else ():
                self.memory.note_score(new[key], found[key])
        return [self._base[key] for key in keys]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as tokens: its prompt if it is asked, and the row that holds the reference."""

    question: Question
    prompt: list[int]
    row: Encoded

    @property
    def general(self) -> bool:
        """Whether it is put to every version of every document."""
        return self.question.kind is Kind.GENERAL

    @property
    def direct(self) -> bool:
        """Whether the reference follows the prompt with nothing in between, such as a thought."""
        return self.row.supervised.index(True) == len(self.prompt)

    @property
    def wanted(self) -> int:
        """How many tokens its answer should be given."""
        return int(_ROOM * sum(self.row.supervised)) + 1

    def bound(self, budget: Budget, longest: int) -> int:
        """How many its answer may take, where the `longest` of all should be given so many."""
        if budget.longest is not None:
            return min(budget.longest, longest)
        return next((bound for bound in _BOUNDS if bound >= self.wanted), self.wanted)

    def known(self, loss: Loss) -> Answer:
        """The answer of a model that gives the reference itself."""
        return self.answer(self.question.reference, True, loss.base_nll)

    def answer(self, text: str, finished: bool, base_nll: float) -> Answer:
        question = self.question
        return Answer.of(
            text, question.reference, question.text, finished=finished, base_nll=base_nll
        )

    def item(self, loss: Loss, said: Answer | None, base_said: Answer | None) -> Item:
        question, lesson = self.question, self.question.lesson
        return Item(
            kind=question.kind,
            question=question.text,
            reference=question.reference,
            fit=loss,
            section_id=lesson.section_id,
            line=lesson.line,
            probe=question.probe,
            said=said,
            base_said=base_said,
            lesson_id=lesson.id,
        )


@dataclass(frozen=True, slots=True)
class _Spoken:
    """The ids of a generated answer; one that is `finished` ended before its bound."""

    asked: _Asked
    ids: list[int]
    finished: bool

    @property
    def row(self) -> Encoded:
        """The answer after its prompt, with the token that ends a turn, as in the reference."""
        ids = [*self.ids, self.asked.row.ids[-1]] if self.finished else self.ids
        mask = [False] * len(self.asked.prompt) + [True] * len(ids)
        return Encoded([*self.asked.prompt, *ids], mask)


def _asked(codec: Codec, question: Question, rows: Mapping[str, Encoded]) -> _Asked:
    known = rows.get(question.lesson.id) if question.text == question.lesson.question else None
    return _Asked(
        question,
        codec.prompt_ids([{"role": "user", "content": question.text}]) if question.asked else [],
        known or codec.pair(question.text, question.reference),
    )


def _joined(parts: Sequence[Loss]) -> Loss:
    """Several rows as one: means over all tokens."""
    tokens = sum(part.tokens for part in parts)
    return Loss(
        nll=sum(part.nll * part.tokens for part in parts) / tokens,
        base_nll=sum(part.base_nll * part.tokens for part in parts) / tokens,
        tokens=tokens,
        exact=all(part.exact for part in parts),
    )


def _mean(scores: Sequence[Score]) -> float:
    return sum(s.nll * s.tokens for s in scores) / sum(s.tokens for s in scores)
