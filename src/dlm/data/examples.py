"""What the sections of a document teach, as text: one `Example` per prose section or pair.

Knows nothing of tokens; `rows` turns examples into those.
"""

from __future__ import annotations

from dataclasses import dataclass

from dlm.data.held_out import split
from dlm.data.triples import Preference
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.schema import TrustConfig
from dlm.doc.sections import PairRole, Section, SectionType
from dlm.errors import DocumentError, TrainingError

AUTHORED = "authored"
SYNTHETIC = frozenset({Origin.SYNTHESIZED.value, Origin.MINED.value})


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn: prose (`question` is None) or an answer to a question."""

    section_id: str
    origin: str
    line: int
    weight: float
    text: str
    question: str | None = None
    role: PairRole | None = None

    @property
    def plain(self) -> bool:
        """Whether this is a pair that the owner wrote and did not mark."""
        return self.role is PairRole.TRAIN and self.origin == AUTHORED


@dataclass(frozen=True, slots=True)
class Teaching:
    """All that a document teaches, and the exam and held-out pairs that are only asked of it.

    `triples` teach which of two answers is better, after all else is learned.
    """

    train: tuple[Example, ...]
    exam: tuple[Example, ...]
    held_out: tuple[Example, ...] = ()
    triples: tuple[Preference, ...] = ()

    @property
    def pairs(self) -> tuple[Example, ...]:
        return tuple(example for example in self.train if example.question is not None)

    @property
    def prose(self) -> tuple[Example, ...]:
        return tuple(example for example in self.train if example.question is None)

    @property
    def probes(self) -> tuple[Example, ...]:
        return tuple(example for example in self.train if example.role is PairRole.PROBE)


def teaching(document: Document) -> Teaching:
    """Sort the document into what trains and what is only asked.

    Raises DocumentError at an image or audio section, and TrainingError when nothing would train.
    """
    trust = document.frontmatter.training.trust
    train: list[Example] = []
    exam: list[Example] = []
    triples: list[Preference] = []
    for section in document.sections:
        if section.type in (SectionType.IMAGE, SectionType.AUDIO):
            raise _not_text(document, section)
        triples += _triples(section, trust)
        for example in _examples(section, trust):
            (exam if example.role is PairRole.EXAM else train).append(example)
    if not train:
        raise TrainingError(
            f"{document.path or 'the document'} has nothing to train on",
            hint="write some prose or an ::instruction:: section with ### Q and ### A",
        )
    config = document.frontmatter.training
    train, held_out = split(train, config.held_out, config.seed)
    return Teaching(tuple(train), tuple(exam), tuple(held_out), tuple(triples))


def origin_of(section: Section) -> str:
    """Who wrote the section: `authored`, or the origin in its provenance marker."""
    return section.provenance.origin.value if section.provenance else AUTHORED


def _examples(section: Section, trust: TrustConfig) -> list[Example]:
    origin = origin_of(section)
    weight = float(getattr(trust, origin))
    if section.type is SectionType.PROSE:
        text = section.text.strip()
        return [Example(section.section_id, origin, section.line, weight, text)] if text else []
    if section.type is not SectionType.INSTRUCTION:
        return []
    return [
        Example(
            section.section_id, origin, pair.line, weight, pair.answer, pair.question, pair.role
        )
        for pair in section.pairs
    ]


def _triples(section: Section, trust: TrustConfig) -> list[Preference]:
    origin = origin_of(section)
    weight = float(getattr(trust, origin))
    return [
        Preference(
            section.section_id, origin, one.line, weight, one.prompt, one.chosen, one.rejected
        )
        for one in section.triples
    ]


def _not_text(document: Document, section: Section) -> DocumentError:
    kind = section.type.value
    return DocumentError(
        f"an ::{kind}:: section cannot train the text base {document.frontmatter.base_model!r}",
        at=document.location(section.span.start),
        hint=f"remove the section, or describe the {kind} in prose",
    )
