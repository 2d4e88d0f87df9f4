"""The teachers of a document: who writes the next round, who served when, how one is brought back.

The current version teaches, or another's model until a student of it is promoted that surpasses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.errors import StoreError
from dlm.eval.figures import Figure
from dlm.files import write_atomic
from dlm.loops.edits import replace_document
from dlm.loops.improve.context import Context, alone
from dlm.loops.improve.options import is_external
from dlm.store import improving
from dlm.store.database import Database
from dlm.store.improving import Round, Step, TeacherRecord
from dlm.store.records import Version, now
from dlm.store.store import Store


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback restored. `saved` is where the text that stood there was put, if anywhere."""

    teacher: TeacherRecord
    before: TeacherRecord
    document_restored: bool
    document_differs: bool
    saved: Path | None = None


def choose_teacher(context: Context, champion: Version, done: Sequence[Round]) -> str:
    """Who writes the next round, noted in the history; returns how it is named."""
    database = context.database
    first = improving.serving(database) is None
    base = context.result_of_base().overall if first else None
    spec = _wanted(context, champion, done)
    known = {one.spec: one.number for one in improving.teachers(database)}
    serving = improving.serving(database)
    if serving is not None and serving.spec == spec:
        return spec
    score = None if spec in known or spec == "base" else _score(context, champion, spec)
    document = context.document
    with database.transaction():
        if base is not None:
            enrol(database, document, "base", champion, base, "the base is always there")
        if score is not None:
            why = "the current version" if spec == own(champion) else "named as teacher"
            enrol(database, document, spec, champion, score, why)
        elif not first:
            improving.serve(database, known[spec])
    context.checkpoint("teacher")
    return spec


def enrol(
    database: Database,
    document: Document,
    spec: str,
    current: Version,
    score: Figure,
    why: str,
    round: str = "",
) -> TeacherRecord:
    """Note a teacher that serves from now on. Call it in a transaction."""
    teacher = TeacherRecord(
        number=improving.next_number(database),
        spec=spec,
        version=current.name if spec == own(current) else None,
        current=current.name,
        base_key=document.frontmatter.base_model,
        score=score.value,
        asked=score.n,
        document_sha256=document.sha256,
        at=now(),
        why=why,
        round=round,
    )
    improving.add_teacher(database, teacher, document.to_bytes())
    return teacher


def own(version: Version) -> str:
    """How a version of the document is named as a teacher."""
    return f"self:{version.name}"


def roll_back(path: Path, to: int | None, *, with_document: bool) -> RolledBack:
    """Let an earlier teacher serve again, with the version that was current then.

    By default the one before the serving one. With `with_document` the file gets the bytes that it
    had then; what it holds now is kept in the store first. Raises StoreError when there is none.
    """
    document = parse_file(path)
    with alone(document, "improve rollback") as store:
        before, wanted = _choose(store.database, path, to)
        if wanted.current is None:
            raise StoreError(f"teacher {wanted.number} was noted without a version")
        text = improving.text_of(store.database, wanted.document_sha256)
        store.verify(wanted.current)
        saved = None
        if with_document and document.to_bytes() != text:
            saved = _put_aside(store, document)
            replace_document(path, document, parse_text(text.decode("utf-8"), path=path))
        store.set_current(
            wanted.current,
            why=f"rollback to teacher {wanted.number}",
            also=lambda database: _serve(database, wanted.number),
        )
    differs = document.to_bytes() != text and not with_document
    return RolledBack(wanted, before, with_document, differs, saved)


def _wanted(context: Context, champion: Version, done: Sequence[Round]) -> str:
    wanted, serving = context.options.teacher, improving.serving(context.database)
    if wanted is None and serving is not None and not serving.spec.startswith("self"):
        wanted = serving.spec
    if wanted is None or wanted == "self":
        return own(champion)
    surpassed = any(one.step is Step.PROMOTED and one.facts.get("surpasses") for one in done)
    return own(champion) if surpassed else wanted


def _score(context: Context, champion: Version, spec: str) -> Figure:
    if spec == own(champion):
        return context.result_of(champion.number).overall
    if is_external(spec):
        return context.result_of_teacher(spec).spoken
    return context.result_of(context.store.version(spec.partition(":")[2]).number).overall


def _choose(database: Database, path: Path, to: int | None) -> tuple[TeacherRecord, TeacherRecord]:
    serving = improving.serving(database)
    if serving is None:
        raise StoreError(
            f"{path} was never improved, so no teacher can be brought back",
            hint="`dlm rollback` makes an earlier version current",
        )
    known = {teacher.number: teacher for teacher in improving.teachers(database)}
    number = serving.number - 1 if to is None else to
    if number not in known:
        raise StoreError(
            f"there is no teacher {number} to go back to",
            hint="`dlm improve history` lists them by number",
        )
    return serving, known[number]


def _serve(database: Database, number: int) -> None:
    """Let it serve, and give up what was under way with another."""
    improving.serve(database, number)
    open_run = improving.open_run(database)
    if open_run is not None:
        for one in improving.rounds(database, open_run.id):
            if not one.step.ends:
                improving.advance(database, one, Step.ABANDONED, reasons=["rolled back"])
        improving.end_run(database, open_run.id, "rolled back")


def _put_aside(store: Store, document: Document) -> Path:
    """Keep the text that a rollback replaces; the owner may have written some of it."""
    with store.database.transaction():
        digest = improving.keep_text(store.database, document.to_bytes())
    folder = store.path.root / "documents"
    folder.mkdir(mode=0o700, exist_ok=True)
    saved = folder / f"{digest[:12]}.dlm"
    write_atomic(saved, document.to_bytes(), mode=0o600)
    return saved
