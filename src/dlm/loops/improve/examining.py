"""Puts the exam to versions of the document, to its base, and to teachers from elsewhere.

The passage is withheld from everybody: what counts is what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dlm.base_models import resolve
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec
from dlm.data.completion import Completion, Refused, Request
from dlm.data.examples import teaching
from dlm.doc.document import Document
from dlm.engine.model import Model
from dlm.engine.resident import Resident, Scored
from dlm.errors import TrainingError
from dlm.eval.answers import repetition, score_answer
from dlm.eval.exam import Paper, exam_questions, paper
from dlm.eval.gate import FEWEST
from dlm.eval.items import Fit, Item, Said
from dlm.eval.keeping import keep, kept
from dlm.eval.measure import ask
from dlm.eval.questions import Question
from dlm.eval.scorecard import Scorecard
from dlm.eval.version import measure_version
from dlm.hardware import detect, plan_answers
from dlm.loops.judges.sway import asked
from dlm.loops.teachers import Cached, open_teacher
from dlm.store.records import Version
from dlm.store.store import Store

_LONGEST: Final = 128  # tokens an answer of a teacher from elsewhere may take


def exam_of(document: Document, most: int) -> tuple[Question, ...]:
    """The questions of the exam; TrainingError where they are too few to tell anything by."""
    questions = exam_questions(teaching(document), most)
    if len(questions) >= FEWEST:
        return questions
    found = f"{len(questions)} exam questions" if questions else "no exam"
    raise TrainingError(
        f"{document.path} has {found}, and fewer than {FEWEST} cannot tell better from lucky",
        hint="mark pairs that are never to train `### Q !exam` (12 or more are good), or hold some "
        "back with training.held_out: 0.3",
    )


def sit(document: Document, questions: Sequence[Question], version: Version, store: Store) -> Paper:
    """The paper of a version."""
    store.verify(version)
    with store.in_use(version):
        model, codec = _load(document, version)
    return paper(ask(model, codec, questions))


def sit_base(document: Document, questions: Sequence[Question]) -> Paper:
    """The paper of the base."""
    model, codec = _load(document, None)
    return paper(ask(model, codec, questions))


def sit_teacher(
    document: Document, questions: Sequence[Question], spec: str, store: Store
) -> Paper:
    """The paper of a teacher that is no version of ours, from its words alone."""
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
        for question in questions
    ]
    answers: list[Sequence[str]] = [Refused("gave no answer")] * len(requests)
    with open_teacher(spec, document) as teacher:
        Cached(teacher, store.database).complete(requests, answers.__setitem__)
    with Resident.open(document) as resident:
        return _judged(resident, questions, [texts[0] if texts else "" for texts in answers])


def card_of(store: Store, version: Version, document: Document) -> Scorecard:
    """The scorecard of a version on this text; measured and kept where there is none."""
    card = kept(store, version, document.sha256)
    if card is None:
        base = resolve(document.frontmatter.base_model)
        card = measure_version(store, version, document, base, local_folder(base))
        with store.database.transaction():
            keep(store.database, version.number, card)
    return card


def _load(document: Document, version: Version | None) -> tuple[Model, Codec]:
    base = resolve(document.frontmatter.base_model)
    folder = local_folder(base)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    adapter = None if version is None else version.path
    return Model.load(folder, plan_answers(detect(), base), adapter=adapter), codec


def _judged(resident: Resident, questions: Sequence[Question], answers: Sequence[str]) -> Paper:
    """How good answers in words are; how fluent they are is for our base to say."""
    said = [Scored(asked(q.text), text) for q, text in zip(questions, answers, strict=True)]
    wanted = [Scored(asked(question.text), question.reference) for question in questions]
    scores = resident.score([*said, *wanted], adapter=False)
    items = []
    for at, (question, text) in enumerate(zip(questions, answers, strict=True)):
        near = score_answer(text, question.reference, question.text)
        base = scores[len(questions) + at].nll
        ended = text.finished if isinstance(text, Completion) else True
        answer = Said(
            str(text).strip(),
            near.exact,
            near.contains,
            near.f1,
            ended,
            repetition(text),
            scores[at].nll,
        )
        fit = Fit(base, base, scores[len(questions) + at].tokens, False)
        items.append(
            Item(
                question.kind,
                question.text,
                question.reference,
                fit,
                line=question.line,
                said=answer,
            )
        )
    return paper(items, words_only=True)
