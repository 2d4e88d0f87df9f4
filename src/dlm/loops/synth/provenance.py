"""What a synthesis leaves: sections in the document, each with the sentence that it rests on, which
can be checked again; and a record of the run in the store, whatever happens to its plan."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import Pair, Section
from dlm.loops.edits import Addition, EditPlan, NewPair
from dlm.loops.proposals import Proposer
from dlm.loops.synth import Strategy
from dlm.loops.synth.candidates import Candidate, Stage
from dlm.loops.synth.grounding import support
from dlm.loops.synth.passages import Source, sources
from dlm.store import completions
from dlm.store.database import Database
from dlm.text.words import one_line

SAMPLES: Final = 4
"""How many candidates of each fate are kept with the record of a run."""

_SOURCE: Final = "source"  # the sentence that supports a pair, among the extra attributes
_STRATEGY: Final = "synth_strategy"
_JUDGE: Final = "judge"
_LONGEST_SOURCE: Final = 600  # characters
_LONGEST: Final = 400  # characters of a question or an answer in a record


@dataclass(frozen=True, slots=True)
class Verdict:
    """A synthesized pair and what became of its source; `reason` is None where it still holds.

    `sentence` is the one that it rests on now. A pair that never had one is not `checked`.
    """

    line: int
    question: str
    answer: str
    run: str
    sentence: str = ""
    reason: str | None = None
    checked: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "line": self.line,
            "question": self.question,
            "answer": self.answer,
            "run": self.run,
            "sentence": self.sentence,
            "holds": self.reason is None,
            "checked": self.checked,
            "reason": self.reason,
        }


def addition_of(candidate: Candidate, proposer: Proposer, judge: str) -> Addition:
    """The section of a candidate: one pair, behind the section it comes from."""
    extra = {_STRATEGY: candidate.strategy.value}
    if candidate.sentence:
        extra[_SOURCE] = candidate.sentence[:_LONGEST_SOURCE]
    if "judge" in candidate.scores:
        extra[_JUDGE] = judge
    return proposer.addition(
        NewPair(candidate.question, candidate.answer),
        candidate.source.id,
        after=candidate.source.id,
        scores={name: round(score, 3) for name, score in candidate.scores.items()},
        extra=extra,
    )


def keep_run(database: Database, plan: EditPlan, candidates: Iterable[Candidate]) -> None:
    """Note what a synthesis came to, whatever happens to its plan."""
    run = completions.SynthRun(
        run=plan.run,
        teacher=plan.by,
        made_at=plan.created_at,
        document_sha256=plan.document_sha256,
        planned=len(plan.additions),
        note=plan.note,
        samples=tuple(_samples(candidates)),
    )
    with database.transaction():
        completions.add_synth_run(database, run)


def verify(document: Document) -> list[Verdict]:
    """Check every synthesized pair of the document against its prose as it is now."""
    prose = sources(document)
    return [
        _verdict(section, pair, prose)
        for section, pair in document.pairs()
        if section.provenance and section.provenance.origin is Origin.SYNTHESIZED
    ]


def _samples(candidates: Iterable[Candidate]) -> Iterator[dict[str, Any]]:
    """The first few candidates of each fate, in the order they were written."""
    taken: Counter[Stage | None] = Counter()
    for candidate in candidates:
        if taken[candidate.dropped] < SAMPLES:
            taken[candidate.dropped] += 1
            told = candidate.to_json()
            scores = {k: v if math.isfinite(v) else None for k, v in told["scores"].items()}
            short = {key: told[key][:_LONGEST] for key in ("question", "answer", "reason")}
            yield {**told, **short, "scores": scores}


def _verdict(section: Section, pair: Pair, prose: list[Source]) -> Verdict:
    assert section.provenance is not None
    told = section.provenance.extra
    run, sentence = section.provenance.run, told.get(_SOURCE, "")
    facts = (pair.line, pair.question, pair.answer, run)
    if told.get(_STRATEGY) == Strategy.BACKTRANSLATE.value:
        return _of_text(facts, pair.answer, prose)
    if not sentence:
        return Verdict(*facts, checked=False)
    stands = [source for source in prose if _says(source, sentence)]
    # Where the sentence is gone, another may say the same; its own section is asked first.
    own = [source for source in prose if source.id == section.provenance.derived_from]
    for source in dict.fromkeys([*stands, *own, *prose]):
        found = support(source.evidence, pair.question, pair.answer)
        if found.holds:
            return Verdict(*facts, found.sentence)
    if not stands:
        return Verdict(*facts, "", f"nothing says any more: {sentence}")
    found = support(stands[0].evidence, pair.question, pair.answer)
    return Verdict(*facts, sentence, found.reason)


def _of_text(facts: tuple[int, str, str, str], answer: str, prose: list[Source]) -> Verdict:
    """A backtranslated pair answers with a section as it stood; it must stand there still."""
    wanted = one_line(answer)
    if any(one_line(source.section.text) == wanted for source in prose):
        return Verdict(*facts)
    return Verdict(*facts, "", "no section has this text any more")


def _says(source: Source, sentence: str) -> bool:
    wanted = one_line(sentence)
    return any(line.sentence.text.startswith(wanted) for line in source.evidence.lines)
