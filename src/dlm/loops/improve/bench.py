"""What every step of a round needs, and what several of them do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlm.doc.document import Document
from dlm.eval.exam import Paper
from dlm.eval.questions import Question
from dlm.loops.improve.challenger import how, train_challenger, with_settings
from dlm.loops.improve.examining import sit
from dlm.loops.improve.options import ImproveOptions
from dlm.loops.improve.watching import Bounded, Clock, Watch
from dlm.loops.synth.options import Strategy
from dlm.store import rounds
from dlm.store.database import Database
from dlm.store.records import RunRecord, Version, version_name
from dlm.store.rounds import Round
from dlm.store.store import Store


@dataclass(slots=True)
class Bench:
    """What every step needs. `checkpoint` is called with the name of each durable step."""

    path: Path
    document: Document  # as the round began
    options: ImproveOptions
    store: Store
    exam: tuple[Question, ...]
    watch: Watch
    clock: Clock
    checkpoint: Callable[[str], None]

    @property
    def database(self) -> Database:
        return self.store.database

    def progress(self, what: str, done: int, of: int) -> None:
        """Tell how far the asking of a teacher is; raises TimeIsUp."""
        self.watch.asking(what, done, of)
        self.clock.check()

    def trained(self, one: Round, document: Document) -> Version:
        """A candidate trained from the base on `document`, as round `one` trains."""
        back = Strategy(one.strategy) is Strategy.BACKTRANSLATE
        return train_challenger(
            with_settings(document, self.options, backtranslates=back),
            how(document, self.options, backtranslates=back),
            self.store,
            int(one.facts["after"]),
            Bounded(self.watch.training, self.clock),
        )

    def runs_of(self, version: Version) -> list[RunRecord]:
        """The runs of the phases that made a version from the base, in their order."""
        runs = [self.store.run_of(version)]
        while version.parent is not None:
            version = self.store.version(version.parent)
            runs.insert(0, self.store.run_of(version))
        return runs

    def paper_of(self, number: int) -> Paper:
        """The paper of a version, from an earlier round where it sat the same exam there."""
        asked = [(question.text, question.reference) for question in self.exam]
        for one in rounds.rounds(self.database):
            for who, version in (("champion", one.champion), ("challenger", one.challenger)):
                if version == number and "exam" in one.facts:
                    paper = Paper.from_json(one.facts["exam"][who])
                    if [(each.question, each.reference) for each in paper.answers] == asked:
                        return paper
        chosen = self.store.version(version_name(number))
        return sit(self.document, self.exam, chosen, self.store)


def external(teacher: str) -> bool:
    """Whether a teacher is none of our own versions, nor our base."""
    return teacher != "base" and not teacher.startswith("self")
