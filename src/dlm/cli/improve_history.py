"""`dlm improve history` and `rollback`: the teachers, and how one is brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import note, print_json, read_document
from dlm.cli.edits import document_path
from dlm.cli.terminal import one_line

if TYPE_CHECKING:
    from dlm.store.rounds import Round
    from dlm.store.teachers import TeacherRecord


def history(path: str | None, *, as_json: bool) -> None:
    """Every teacher, the one that serves marked, and every round that promoted none."""
    from dlm.store import rounds, teachers
    from dlm.store.store import Store

    document = read_document(path)
    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
        known = teachers.teachers(store.database)
        serving = teachers.serving(store.database)
        held = rounds.rounds(store.database)
    number = serving.number if serving else None
    if as_json:
        print_json(
            {
                "teachers": [one.to_json() | {"serving": one.number == number} for one in known],
                "rounds": [one.to_json() for one in held],
            }
        )
        return
    if not known:
        print(f"{document.path} was never improved")
        note(f"hint: `dlm improve {document.path}` begins")
        return
    print("     n  teacher        current  base          exam   when              why")
    for one in known:
        print(_teacher(one, serves=one.number == number))
    for each in held:
        if each.step.value in ("refused", "abandoned"):
            print(_refused(each))


def rollback(path: str | None, to: int | None, *, with_document: bool, as_json: bool) -> None:
    """Restore the teacher and what was current with it; say what became of the document."""
    from dlm.loops.improve.teachers import roll_back

    document = read_document(path)
    done = roll_back(document_path(document), to, with_document=with_document)
    if as_json:
        print_json(
            {
                "teacher": done.teacher.to_json(),
                "before": done.before.to_json(),
                "document_restored": done.document_restored,
                "document_differs": done.document_differs,
                "saved": str(done.saved) if done.saved else None,
            }
        )
        return
    teacher = done.teacher
    print(
        f"teacher {teacher.number} ({teacher.spec}) serves again, and {teacher.current} is current "
        f"(was teacher {done.before.number}, {done.before.spec})"
    )
    if done.saved:
        print(f"{document.path} has the text of then; what it said lies in {done.saved}")
    if done.document_differs:
        note(f"note: {document.path} says more or other than {teacher.current} was trained on")
        note("hint: --document gives it the text of then; or train again: dlm train")


def _teacher(one: TeacherRecord, *, serves: bool) -> str:
    mark = "*" if serves else " "
    score = "    -" if one.score is None else f"{one.score:.3f}"
    when = one.at.astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        f" {mark} {one.number:>3}  {one_line(one.spec, 30):<13}  {one.current or '-':<7}  "
        f"{one.base_key:<12}  {score}  {when}  {one.why}"
    )


def _refused(one: Round) -> str:
    from dlm.store.records import version_name

    facts = one.facts.get("verdict") or {}
    reasons = [str(each) for each in facts.get("reasons", one.facts.get("reasons", []))]
    name = "" if one.challenger is None else f" {version_name(one.challenger)}"
    return f"   {one.step.value} {one.name}{name}: {one_line('; '.join(reasons), 300)}"
