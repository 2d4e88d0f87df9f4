"""What `dlm improve --dry-run` says: what the next round would ask, train and compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dlm.doc.document import Document
from dlm.eval.keeping import kept
from dlm.loops.improve import writing
from dlm.loops.improve.examining import exam_of
from dlm.loops.improve.names import round_name
from dlm.loops.improve.options import ImproveOptions
from dlm.loops.synth.passages import sources
from dlm.store import rounds, teachers
from dlm.store.store import Store


@dataclass(frozen=True, slots=True)
class Preview:
    """The next round, and whether it would go on with an interrupted run."""

    name: str
    teacher: str
    strategy: str
    sections: int
    prose_sections: int
    hints: int
    questions: int
    current: str | None
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def rows(self) -> Iterator[tuple[str, str]]:
        if self.interrupted:
            yield "first", "goes on with the run that was interrupted"
        trained = self.current or "none yet; the document is trained first"
        yield "champion", trained
        yield "round", f"{self.name}: {self.teacher} teaches by {self.strategy}"
        yield "asks about", f"{self.sections} of {self.prose_sections} prose sections"
        if self.hints:
            yield "hints", f"{self.hints} pairs that {self.current} gets wrong, with their answers"
        yield "exam", f"{self.questions} questions that never train"


def preview(document: Document, options: ImproveOptions) -> Preview:
    """The next round of a document; TrainingError when it has no exam."""
    questions = exam_of(document, options.benchmark_samples)
    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        current, serving = store.current(), teachers.serving(store.database)
        card = kept(store, current, document.sha256) if current else None
        ordinal = len(rounds.rounds(store.database)) + 1
        interrupted = rounds.open_run(store.database) is not None
    prose = [source.id for source in sources(document)]
    return Preview(
        name=round_name(frontmatter.dlm_id, ordinal),
        teacher=options.teacher or (serving.spec if serving else "self"),
        strategy=options.strategy_of(1).value,
        sections=len(writing.focus(document, card, ordinal)) if card else len(prose),
        prose_sections=len(prose),
        hints=len(writing.hints(document, card)) if card else 0,
        questions=len(questions),
        current=current.name if current else None,
        interrupted=interrupted,
    )
