"""`dlm exam list` and `verify`: what is only asked, and whether training gives any of it away."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from dlm.cli.common import count, note, print_json, read_document
from dlm.cli.options import JsonOption, PathArgument
from dlm.errors import TrainingError

if TYPE_CHECKING:
    from dlm.data.lessons import Lesson, Lessons
    from dlm.data.matching import Finding
    from dlm.doc.document import Document


def list_exam(path: str | None, *, as_json: bool) -> None:
    document = read_document(path)
    lessons = _lessons(document)
    fraction = document.frontmatter.training.held_out
    if as_json:
        print_json(
            {
                "exam": [_question_json(item) for item in lessons.exam],
                "held_out": [_question_json(item) for item in lessons.held_out],
                "held_out_fraction": fraction,
                "training_pairs": len(lessons.pairs),
            }
        )
        return
    if not lessons.exam:
        print(f"{document.path} has no exam questions")
    if not (lessons.exam or fraction):
        note("hint: mark a pair `### Q !exam` to seal it, or set training.held_out")
    for item in lessons.exam:
        print(f"{item.line:>6}  exam      {_first_line(item)}")
    for item in lessons.held_out:
        print(f"{item.line:>6}  held out  {_first_line(item)}")
    if fraction:
        pairs = count(len(lessons.pairs), "pair")
        print(
            f"held out: {count(len(lessons.held_out), 'pair')} beside {pairs} that train "
            f"(training.held_out: {fraction:g})"
        )


def verify_exam(path: str | None, *, as_json: bool) -> None:
    """Raises TrainingError when an exam question is given away; held-out ones are only named."""
    from dlm.data.matching import findings

    document = read_document(path)
    lessons = _lessons(document)
    found = findings(lessons.train, lessons.exam)
    twins = findings(lessons.train, lessons.held_out)
    if as_json:
        print_json(
            {
                "clean": not found,
                "exam": len(lessons.exam),
                "findings": [asdict(one) for one in found],
                "held_out": len(lessons.held_out),
                "held_out_findings": [asdict(one) for one in twins],
            }
        )
    else:
        for one in found:
            print(_sentence(document, one, "exam"))
        for one in twins:
            print(_sentence(document, one, "held-out"))
    if found:
        raise TrainingError(
            f"{count(len(found), 'place')} of {document.path} "
            f"{'repeats' if len(found) == 1 else 'repeat'} what the exam asks",
            hint="reword or remove one of each two, or drop the !exam mark",
        )
    if not as_json:
        print(_verdict(document, lessons))
        if twins:
            note("hint: a held-out question with a twin that trains measures memory, not more")


def _lessons(document: Document) -> Lessons:
    from dlm.data.lessons import lessons_of

    return lessons_of(document)


def _verdict(document: Document, lessons: Lessons) -> str:
    if not lessons.exam:
        return f"{document.path} has no exam questions"
    questions = count(len(lessons.exam), "exam question")
    return f"clean: nothing that trains repeats the {questions} of {document.path}"


def _sentence(document: Document, found: Finding, kind: str) -> str:
    return (
        f"{document.path}:{found.line}: nearly repeats the {kind} question of line "
        f"{found.sealed_line}\n    {_short(found.question)}\n    {_short(found.sealed_question)}"
    )


def _question_json(item: Lesson) -> dict[str, Any]:
    return {
        "line": item.line,
        "section_id": item.section_id,
        "question": item.question,
        "answer": item.text,
    }


def _first_line(item: Lesson) -> str:
    return _short(item.question)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 100 else f"{words[:99]}…"


app = typer.Typer(
    help="The questions that are only asked, never trained on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("list")
def list_(path: PathArgument = None, json: JsonOption = False) -> None:
    """List the exam questions, and the pairs that are held out."""

    list_exam(path, as_json=json)


@app.command()
def verify(path: PathArgument = None, json: JsonOption = False) -> None:
    """Check that nothing which trains nearly repeats an exam question."""

    verify_exam(path, as_json=json)
