"""What every step of a round needs: the document and its store, a challenger, an exam to put.

A training that was killed is found again: as a version if it was committed, else by its checkpoint.
In the exam the passage is withheld from everybody: what counts is what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from dlm.base_models import base_of
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec
from dlm.data.completion import Completion, Request
from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.engine.model import Model
from dlm.engine.resident import Resident, Scored
from dlm.errors import CorruptStore, Interrupted, TrainingError
from dlm.eval.answers import Answer, Item, Loss
from dlm.eval.comparison import keep, kept
from dlm.eval.exam import FEWEST, ExamResult, exam_result
from dlm.eval.measure import Evaluator, measure_version
from dlm.eval.probes import Question, exam_questions
from dlm.eval.scorecard import Scorecard
from dlm.hardware import detect, plan_answers
from dlm.loops.improve.options import Bounded, Clock, ImproveOptions, ImproveProgress
from dlm.loops.judges import asked
from dlm.loops.synth import Strategy
from dlm.loops.teachers import Cached, open_teacher
from dlm.store import improving
from dlm.store.database import Database
from dlm.store.improving import Round, Step
from dlm.store.locks import exclusive_lock
from dlm.store.records import RunRecord, Version, version_name
from dlm.store.store import Store, open_store
from dlm.train.checkpoint import read_checkpoint
from dlm.train.options import TrainOptions
from dlm.train.run import train
from dlm.working import Tell

_BACK_RANK: Final = 32
_BACK_EPOCHS: Final = 12
_LONGEST: Final = 128  # tokens an answer of a teacher from elsewhere may take


@dataclass(slots=True)
class Context:
    """`checkpoint` is called with the name of each durable step; `document` is as a round began."""

    path: Path
    document: Document
    options: ImproveOptions
    store: Store
    exam: tuple[Question, ...]
    progress: ImproveProgress
    clock: Clock
    checkpoint: Callable[[str], None]

    @property
    def database(self) -> Database:
        return self.store.database

    def on(self, document: Document) -> Context:
        """The same for the document as it is now, with its exam."""
        exam = exam_of(document, self.options.benchmark_samples)
        return replace(self, document=document, exam=exam)

    def advance(self, one: Round, step: Step, **facts: Any) -> Round:
        """Note how far a round has come, in one transaction."""
        with self.database.transaction():
            return improving.advance(self.database, one, step, **facts)

    def asking(self, what: str, done: int, of: int) -> None:
        """Tell how far the asking of a teacher is; raises TimeIsUp."""
        self.progress.working(what, done, of)
        self.clock.check()

    def train_challenger(self, one: Round, document: Document) -> Version:
        """A candidate trained from the base on `document`, as round `one` trains.

        One that an earlier process committed before it could note that is taken.
        """
        back = Strategy(one.strategy) is Strategy.BACKTRANSLATE
        settled = self._settled(document, backtranslates=back)
        found = self._committed(settled, after=int(one.facts["after"]))
        return found or self.train(settled, self._how(document, backtranslates=back))

    def train(self, document: Document, options: TrainOptions) -> Version:
        """The version of a training, which goes on where it was interrupted."""
        progress = Bounded(self.progress.training, self.clock)
        if self._was_interrupted(document, options):
            try:
                return train(document, options, progress, resume=True).version
            except Interrupted:
                raise
            except (TrainingError, CorruptStore) as error:
                progress.note(f"{error.message}; the training starts over")
        return train(document, options, progress).version

    def runs_of(self, version: Version) -> list[RunRecord]:
        """The runs of the phases that made a version from the base, in their order."""
        runs = [self.store.run_of(version)]
        while version.parent is not None:
            version = self.store.version(version.parent)
            runs.insert(0, self.store.run_of(version))
        return runs

    def card_of(self, number: int, document: Document) -> Scorecard:
        """The scorecard of a version on this text; measured and kept where there is none."""
        version = self.store.version(version_name(number))
        card = kept(self.store, version, document.sha256)
        if card is None:
            base = base_of(document)
            tell, folder = self.progress.working, local_folder(base)
            card = measure_version(self.store, version, document, base, folder, tell)
            with self.database.transaction():
                keep(self.database, version.number, card)
        return card

    def result_of(self, number: int) -> ExamResult:
        """The exam of a version, from an earlier round where it was put the same one there."""
        asked = [(question.text, question.reference) for question in self.exam]
        for one in improving.rounds(self.database):
            for who, version in (("champion", one.champion), ("challenger", one.challenger)):
                if version == number and "exam" in one.facts:
                    found = ExamResult.from_json(one.facts["exam"][who])
                    if [(each.question, each.reference) for each in found.answers] == asked:
                        return found
        chosen = self.store.version(version_name(number))
        self.store.verify(chosen)
        with self.store.in_use(chosen):
            return self._examine(chosen.path)

    def result_of_base(self) -> ExamResult:
        return self._examine(None)

    def result_of_teacher(self, spec: str) -> ExamResult:
        """The exam of a teacher that is no version of ours, from its words alone."""
        requests = [
            Request(
                system="",
                prompt=question.text,
                n=1,
                max_new_tokens=_LONGEST,
                temperature=0.0,
                top_p=1.0,
                seed=0,
            )
            for question in self.exam
        ]
        with open_teacher(spec, self.document) as teacher:
            answers, error = Cached(teacher, self.database).answers(requests, self.asking)
        if error is not None:
            raise error
        with Resident.open(self.document) as resident:
            texts = [each[0] if each else "" for each in answers]
            return _judged(resident, self.exam, texts, self.progress.working)

    def _examine(self, adapter: Path | None) -> ExamResult:
        base = base_of(self.document)
        folder = local_folder(base)
        codec = Codec.load(folder, system_prompt=self.document.frontmatter.system_prompt)
        model = Model.load(folder, plan_answers(detect(), base), adapter=adapter)
        evaluator = Evaluator(model, codec)
        evaluator.tell = self.progress.working
        return exam_result(evaluator.ask(self.exam, codec))

    def _settled(self, document: Document, *, backtranslates: bool) -> Document:
        """The document as a round trains it: its anchor, and the rank if the owner chose none."""
        training = document.frontmatter.training
        changes: dict[str, object] = {"real_share": self.options.real_share}
        if backtranslates and "lora_r" not in training.model_fields_set:
            scale = training.lora_alpha / training.lora_r
            changes |= {"lora_r": _BACK_RANK, "lora_alpha": round(scale * _BACK_RANK)}
        settled = training.model_copy(update=changes)
        frontmatter = document.frontmatter.model_copy(update={"training": settled})
        return replace(document, frontmatter=frontmatter)

    def _how(self, document: Document, *, backtranslates: bool) -> TrainOptions:
        """From the base, as a candidate. Backtranslation has an end for its rate to decay to."""
        free = document.frontmatter.training.num_epochs == "auto"
        return TrainOptions(
            fresh=True,
            candidate=True,
            seed=self.options.seed,
            max_steps=self.options.max_steps,
            epochs=_BACK_EPOCHS if backtranslates and free else None,
            allow_secrets=self.options.allow_secrets,
        )

    def _committed(self, document: Document, *, after: int) -> Version | None:
        """The candidate of this document that is newer than version `after`.

        With triples the first version of a training need not be its last; it is trained again.
        """
        if any(section.triples for section in document.sections):
            return None
        for version in self.store.versions():
            run = self.store.run_of(version)
            same = run.document_sha256 == document.sha256 and run.mode == "fresh"
            if version.number > after and same:
                return version
        return None

    def _was_interrupted(self, document: Document, options: TrainOptions) -> bool:
        """Whether the checkpoint in the store is of this training."""
        try:
            checkpoint = read_checkpoint(self.store.path.checkpoint)
        except CorruptStore:
            return False
        if checkpoint is None or checkpoint.identity.document != document.sha256:
            return False
        return dict(checkpoint.identity.options) == asdict(options)


@contextmanager
def alone(document: Document, purpose: str) -> Iterator[Store]:
    """The store, with no other process improving the same document."""
    with (
        open_store(document) as store,
        exclusive_lock(
            store.path.improving, what=f"improving {document.path}", purpose=purpose, wait=2.0
        ),
    ):
        yield store


def exam_of(document: Document, most: int) -> tuple[Question, ...]:
    """The questions of the exam; TrainingError where they are too few to tell anything by."""
    questions = exam_questions(lessons_of(document), most)
    if len(questions) >= FEWEST:
        return questions
    found = f"{len(questions)} exam questions" if questions else "no exam"
    raise TrainingError(
        f"{document.path} has {found}, and fewer than {FEWEST} cannot tell better from lucky",
        hint="mark pairs that are never to train `### Q !exam` (12 or more are good), or hold some "
        "back with training.held_out: 0.3",
    )


def _judged(
    resident: Resident, questions: Sequence[Question], answers: Sequence[str], tell: Tell
) -> ExamResult:
    """How good answers in words are; how fluent they are is for our base to say."""
    said = [Scored(asked(q.text), text) for q, text in zip(questions, answers, strict=True)]
    wanted = [Scored(asked(question.text), question.reference) for question in questions]
    scores = resident.score([*said, *wanted], adapter=False, tell=tell)
    items = []
    for at, (question, text) in enumerate(zip(questions, answers, strict=True)):
        ended = text.finished if isinstance(text, Completion) else True
        answer = Answer.of(
            str(text),
            question.reference,
            question.text,
            finished=ended,
            base_nll=scores[at].nll,
        )
        base = scores[len(questions) + at]
        loss = Loss(base.nll, base.nll, base.tokens, False)
        line = question.lesson.line
        kind, reference = question.kind, question.reference
        items.append(Item(kind, question.text, reference, loss, line=line, said=answer))
    return exam_result(items, words_only=True)
