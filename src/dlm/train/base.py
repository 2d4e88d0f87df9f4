"""What every phase of a training stands on: the document, its base, and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dlm.base_models import BaseModel, base_of
from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import check_targets, with_facts
from dlm.data.chat import Codec
from dlm.data.contamination import refuse_contamination
from dlm.data.general import rehearsal_texts
from dlm.data.lessons import Lessons, distinct, lessons_of
from dlm.data.rows import Row, encode_rows, general_rows, pair_rows, sequence_length
from dlm.doc.document import Document
from dlm.doc.schema import TrainingConfig
from dlm.hardware import Plan, detect, plan as plan_hardware, plan_again
from dlm.train.options import TrainOptions
from dlm.train.recipe import recipe_of
from dlm.train.samples import SAMPLE_LENGTH, sample_rows, samples_of
from dlm.working import Tell, untold

_GENERAL_LENGTH = 112  # tokens


@dataclass(frozen=True, slots=True)
class LoadedBase:
    """A base on this machine, how to talk to it, and the rows to rehearse beside a document."""

    base: BaseModel
    folder: Path
    fingerprint: str
    codec: Codec
    general: tuple[Row, ...]
    samples: tuple[Row, ...]


def load_base(document: Document) -> LoadedBase:
    """Find the base of a document and encode what is rehearsed; raises BaseModelError."""
    base = base_of(document)
    folder = local_folder(base)
    check_targets(document, folder)
    if not base.params:  # a hub model that nothing was known of until it was fetched
        base = with_facts(base, folder)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    general: Sequence[Row] = ()
    samples: Sequence[Row] = ()
    if document.frontmatter.training.rehearsal.enabled:
        general = general_rows(rehearsal_texts(), codec, _GENERAL_LENGTH)
        samples = sample_rows(samples_of(folder) or (), codec)
    if recipe_of(base).distilled:
        general, samples = (
            [replace(row, distilled=True) for row in rows] for rows in (general, samples)
        )
    return LoadedBase(base, folder, fingerprint(folder), codec, tuple(general), tuple(samples))


def checked(document: Document, lessons: Lessons, tell: Tell = untold) -> Lessons:
    """The lessons; raises TrainingError, naming both lines, where one gives the exam away."""
    name = str(document.path or "document")
    refuse_contamination((*lessons.train, *lessons.triples), lessons.exam, name, tell)
    return lessons


class BaseCache:
    """The tools and the lessons of the last document that was asked for.

    `tell` is told how far what takes a while with a large document is.
    """

    def __init__(self, tell: Tell = untold) -> None:
        self.tell = tell
        self._key: tuple[object, ...] | None = None
        self._tools: LoadedBase | None = None
        self._lessons: tuple[Document, Lessons] | None = None
        self._checked: Lessons | None = None

    def lessons(self, document: Document) -> Lessons:
        """What it teaches, made once; raises DocumentError or TrainingError."""
        if self._lessons is None or self._lessons[0] is not document:
            self._lessons = document, lessons_of(document)
        return self._lessons[1]

    def checked(self, document: Document) -> Lessons:
        """The same, searched once for what gives the exam away; raises TrainingError then."""
        lessons = self.lessons(document)
        if self._checked is not lessons:
            self._checked = checked(document, lessons, self.tell)
        return lessons

    def of(self, document: Document) -> LoadedBase:
        """Its tools, read again only when one of the settings they depend on changed."""
        frontmatter = document.frontmatter
        key = (
            frontmatter.base_model,
            document.path and document.path.resolve().parent,
            frontmatter.system_prompt,
            str(frontmatter.training.target_modules),
            frontmatter.training.rehearsal.enabled,
        )
        if self._tools is None or self._key != key:
            self._tools, self._key = load_base(document), key
        return self._tools

    def forget(self) -> None:
        """Read all of it again at the next call."""
        self._tools = None


@dataclass(frozen=True, slots=True)
class Setup:
    """As values, known before anything heavy is loaded."""

    document: Document
    lessons: Lessons
    base: BaseModel
    base_folder: Path
    base_fingerprint: str
    hardware: Plan
    codec: Codec
    sequence_length: int
    seed: int

    @property
    def name(self) -> str:
        return str(self.document.path or "document")


def setup_of(
    document: Document,
    lessons: Lessons,
    options: TrainOptions,
    tools: LoadedBase,
    hardware: Plan | None = None,
    *,
    longest: int | None = None,
) -> Setup:
    """Choose how to run; `hardware` is that of an earlier run, to be taken over as it was.

    `longest` is the longest row in tokens, where that is known already. Raises TrainingError when
    a pair or triple is too long, naming its line, and when nothing here holds the base.
    """
    config = document.frontmatter.training
    length = sequence_length(config, tools.codec.context_length)
    name = str(document.path or "document")
    return Setup(
        document=document,
        lessons=lessons,
        base=tools.base,
        base_folder=tools.folder,
        base_fingerprint=tools.fingerprint,
        hardware=plan_again(detect(), hardware)
        if hardware
        else _hardware(config, tools, longest or _longest(lessons, tools.codec, length, name)),
        codec=tools.codec,
        sequence_length=length,
        seed=config.seed if options.seed is None else options.seed,
    )


def _longest(lessons: Lessons, codec: Codec, length: int, name: str) -> int:
    """Tokens of the longest row that triples, and what is trained beside them, give."""
    triples = pair_rows(distinct(lessons.triples), codec, sequence_length=length, path=name)
    own = encode_rows((*lessons.pairs, *lessons.prose), codec, sequence_length=length, path=name)
    sequences = [*own, *(row for pair in triples for row in (pair.chosen, pair.rejected))]
    return min(length, max((SAMPLE_LENGTH, *(len(row.ids) for row in sequences))))


def _hardware(config: TrainingConfig, tools: LoadedBase, length: int) -> Plan:
    return plan_hardware(
        detect(),
        tools.base,
        sequence_length=length,
        micro_batch=config.micro_batch_size,
        grad_accum=config.grad_accum,
        precision=config.precision,
        lora_rank=config.lora_r,
    )
