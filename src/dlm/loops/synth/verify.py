"""Whether the document still says what its synthesized pairs say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import Pair, Section
from dlm.loops.synth.options import Strategy
from dlm.loops.synth.passages import Source, sources
from dlm.loops.synth.plan import SOURCE, STRATEGY
from dlm.text.words import one_line


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


def verify(document: Document) -> list[Verdict]:
    """Check every synthesized pair of the document against its prose as it is now."""
    prose = sources(document)
    return [
        _verdict(section, pair, prose)
        for section, pair in document.pairs()
        if section.provenance and section.provenance.origin is Origin.SYNTHESIZED
    ]


def _verdict(section: Section, pair: Pair, prose: list[Source]) -> Verdict:
    assert section.provenance is not None
    told = section.provenance.extra
    run, sentence = section.provenance.run, told.get(SOURCE, "")
    facts = (pair.line, pair.question, pair.answer, run)
    if told.get(STRATEGY) == Strategy.BACKTRANSLATE.value:
        return _of_text(facts, pair.answer, prose)
    if not sentence:
        return Verdict(*facts, checked=False)
    stands = [source for source in prose if _says(source, sentence)]
    # Where the sentence is gone, another may say the same; its own section is asked first.
    own = [source for source in prose if source.id == section.provenance.derived_from]
    for source in dict.fromkeys([*stands, *own, *prose]):
        support = source.ground.support(pair.question, pair.answer)
        if support.holds:
            return Verdict(*facts, support.sentence)
    if not stands:
        return Verdict(*facts, "", f"nothing says any more: {sentence}")
    support = stands[0].ground.support(pair.question, pair.answer)
    return Verdict(*facts, sentence, support.reason)


def _of_text(facts: tuple[int, str, str, str], answer: str, prose: list[Source]) -> Verdict:
    """A backtranslated pair answers with a section as it stood; it must stand there still."""
    wanted = one_line(answer)
    if any(one_line(source.section.text) == wanted for source in prose):
        return Verdict(*facts)
    return Verdict(*facts, "", "no section has this text any more")


def _says(source: Source, sentence: str) -> bool:
    wanted = one_line(sentence)
    return any(line.sentence.text.startswith(wanted) for line in source.ground.lines)
