"""`dlm improve`: the rounds as they go, what they came to, and the teachers before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dlm.cli.common import count, note, one_line, print_json, read_document
from dlm.cli.edits import document_path
from dlm.cli.progress import TerminalProgress
from dlm.errors import Interrupted, UsageError
from dlm.loops.improve.options import ImproveProgress

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.loops.improve.options import ImproveOptions
    from dlm.loops.improve.run import Improved
    from dlm.store.improving import Round, TeacherRecord


def run(path: str | None, given: dict[str, Any], *, dry_run: bool, as_json: bool) -> None:
    """Improve, and print what became of each round."""
    from dlm.loops.improve.options import STRATEGIES, ImproveOptions

    strategy = given["strategy"]
    if strategy is not None and strategy not in STRATEGIES:
        raise UsageError(
            f"--strategy cannot be {strategy!r}", hint=f"it is {', '.join(STRATEGIES)}"
        )
    document = read_document(path)
    options = ImproveOptions.of(document, **given)
    if dry_run:
        _show_plan(document, options, as_json=as_json)
        return
    from dlm.loops.improve.run import improve

    chosen = any(value is not None for key, value in given.items() if key != "max_minutes")
    file, screen = document_path(document), Screen()
    try:
        result = improve(file, options, screen, resume=not chosen)
    except (Interrupted, KeyboardInterrupt) as error:
        screen.close()
        what = error.message.partition(";")[0] if isinstance(error, Interrupted) else "stopped"
        raise Interrupted(what, hint=f"go on where it was: dlm improve {file}") from None
    if as_json:
        print_json(_json(result))
    else:
        _print(file, result)


class Screen(ImproveProgress):
    """The run on standard error: a heading a round, a line a step, and what came of it."""

    def __init__(self) -> None:
        super().__init__(TerminalProgress())
        self._tty = sys.stderr.isatty()
        self._open = False

    def round(self, name: str, number: int, of: int, teacher: str, strategy: str) -> None:
        note(f"round {number} of {of}, {name}: {one_line(teacher, 80)} teaches by {strategy}")

    def step(self, text: str) -> None:
        self.close()
        note(f"  {one_line(text, 200)} …")

    def told(self, title: str, text: str) -> None:
        self.close()
        note(f"    {title:<10}  {one_line(text, 300)}")

    def asking(self, what: str, done: int, of: int) -> None:
        if self._tty:
            text = f"{what}: {done} of {of}" if of else f"{what} …"
            print(f"\r\x1b[K    {text}", end="", file=sys.stderr, flush=True)
            self._open = True

    def ended(self, one: Round) -> None:
        self.close()
        note(f"  {_verdict(one)}")

    def note(self, text: str) -> None:
        self.close()
        note(f"note: {one_line(text, 300)}")

    def close(self) -> None:
        """End the line that is written over."""
        if self._open:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._open = False


def _print(path: object, result: Improved) -> None:
    for one in result.rounds:
        print(f"{one.name}: {_verdict(one)}")
        for reason in _reasons(one):
            print(f"  {one_line(reason, 300)}")
    print(f"{result.outcome}; {result.current} is current")
    if not result.ended:
        note(f"hint: `dlm improve {path}` goes on where it was")
    elif result.promoted:
        note(f"hint: `dlm improve rollback {path}` takes the last promotion back")


def _verdict(one: Round) -> str:
    from dlm.store.records import version_name

    name = "" if one.challenger is None else f" {version_name(one.challenger)}"
    if one.step.value == "promoted":
        exam = one.facts["exam"]
        before, after = (exam[who]["overall"]["value"] for who in ("champion", "challenger"))
        brought = one.facts["brings"]
        return f"promoted{name}: {before:.3f} → {after:.3f} on the exam, {brought} added"
    return f"{one.step.value}{name}"


def _reasons(one: Round) -> list[str]:
    if one.step.value == "abandoned":
        return [str(reason) for reason in one.facts.get("reasons", [])]
    return [str(reason) for reason in (one.facts.get("verdict") or {}).get("reasons", [])]


def _json(result: Improved) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "ended": result.ended,
        "current": result.current,
        "teacher": result.teacher.to_json() if result.teacher else None,
        "rounds": [one.to_json() for one in result.rounds],
    }


def _show_plan(document: Document, options: ImproveOptions, *, as_json: bool) -> None:
    """What the first round would do, without asking or training anything."""
    from dlm.loops.improve.run import preview

    found = preview(document, options)
    if as_json:
        print_json(found.to_json())
        return
    print(
        f"{document.path}: up to {count(options.rounds, 'round')}; nothing was changed (--dry-run)"
    )
    for title, text in found.rows():
        print(f"  {title:<10}  {one_line(text, 300)}")


def history(path: str | None, *, as_json: bool) -> None:
    """Every teacher, the one that serves marked, and every round that promoted none."""
    from dlm.store import improving
    from dlm.store.store import Store

    document = read_document(path)
    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
        known = improving.teachers(store.database)
        serving = improving.serving(store.database)
        held = improving.rounds(store.database)
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
