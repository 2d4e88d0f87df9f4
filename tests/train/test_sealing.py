"""What was trained and is now only asked is not replayed, stays remembered, and is said."""

from __future__ import annotations

from dlm.data.lessons import lessons_of, parts
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.store.records import Remembered
from dlm.train.known import compare, memory_after
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan, make_plan
from dlm.train.preview import warnings

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n{more}---\n"
PAIR = "::instruction::\n### Q{mark}\nWhat is in box {n}?\n\n### A\nBox {n} holds {n} nails.\n::\n"
SHED = "::instruction::\n### Q{mark}\nWho owns the shed?\n\n### A\nOdile Varga owns it.\n::\n"


def _document(mark: str = "", more: str = "", shed: str = SHED) -> Document:
    pairs = "".join(PAIR.format(n=n, mark="") for n in range(8))
    return parse_text(HEAD.format(more=more) + pairs + shed.format(mark=mark))


def _plan_after(before: Document, now: Document) -> TrainingPlan:
    """The plan of a training on `now` that follows one on `before`."""
    trained = parts(lessons_of(before).train)
    memory = [Remembered(i, "v0001", "v0001", removed=False, nll=0.1, exact=True) for i in trained]
    known = compare(memory, parts(lessons_of(now).train), forget=False)
    return make_plan(now, TrainOptions(), known, number=1)


def _replayed(plan: TrainingPlan) -> set[str]:
    lines = {row.lesson.line for row in plan.material.replay}
    return {e.lesson.first_words for e in plan.known.kept if e.lesson.line in lines}


def test_a_removed_pair_is_replayed() -> None:
    plan = _plan_after(_document(), _document(shed=""))
    assert _replayed(plan) == {"Who owns the shed?"}
    assert plan.known.sealed == ()


def test_a_pair_that_became_an_exam_question_is_no_longer_replayed() -> None:
    plan = _plan_after(_document(), _document(mark=" !exam"))
    assert _replayed(plan) == set()
    assert [one.lesson.first_words for one in plan.known.sealed] == ["Who owns the shed?"]
    line = plan.lessons.exam[0].line
    (said,) = (text for text in warnings(plan) if "shows memory" in text)
    assert said.startswith(f"line {line}: an earlier version was trained on this question")
    remembered = memory_after(plan.known, plan.lessons, "v0002", (), {})
    shed = [one for one in remembered if one.lesson.first_words == "Who owns the shed?"]
    assert [(one.removed, one.since) for one in shed] == [(True, "v0001")]


def test_pairs_that_are_held_out_later_are_no_longer_replayed() -> None:
    plan = _plan_after(_document(), _document(more="training:\n  held_out: 0.4\n"))
    held = {e.question for e in plan.lessons.held_out}
    assert held
    assert {one.lesson.question for one in plan.known.sealed} == held
    assert plan.known.kept == ()
    assert len(plan.held_out) == len(held)
    rows = {(row.lesson.section_id, row.lesson.line) for row in plan.schedule.rows}
    assert not rows & {(row.lesson.section_id, row.lesson.line) for row in plan.held_out}
