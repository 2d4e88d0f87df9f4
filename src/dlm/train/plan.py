"""All decisions of a training, taken before torch is imported: rows, order, rates, device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from dlm.base_models import BaseModel, resolve
from dlm.base_models.fingerprint import fingerprint
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import with_facts
from dlm.data.chat import Codec
from dlm.data.contamination import refuse_contamination
from dlm.data.examples import Teaching, teaching
from dlm.data.general import rehearsal_texts
from dlm.data.items import items
from dlm.data.rows import Row, general_rows
from dlm.data.schedule import Material, Mixture, Schedule, build_schedule
from dlm.doc.document import Document
from dlm.doc.schema import TrainingConfig
from dlm.hardware import Plan, detect, plan_again
from dlm.hardware import plan as plan_hardware
from dlm.train.budget import Limits
from dlm.train.known import Known, everything
from dlm.train.material import Encoder, gather, reworder
from dlm.train.options import TrainOptions
from dlm.train.samples import sample_rows, samples_of
from dlm.train.sealing import sealed
from dlm.train.settings import sequence_length
from dlm.train.trainer import Optimisation

_GENERAL_LENGTH = 112  # tokens
_MOST_ROWS = 32_000  # of one run with an open end
_FEWEST_EPOCHS = 3


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Everything a run needs, as values. Printable before anything heavy is loaded."""

    document: Document
    teaching: Teaching
    base: BaseModel
    base_folder: Path
    base_fingerprint: str
    hardware: Plan
    codec: Codec
    sequence_length: int
    known: Known
    pairs: tuple[Row, ...]  # all of the document, in its order
    prose: tuple[Row, ...]
    held_out: tuple[Row, ...]  # never trained on
    material: Material
    schedule: Schedule
    optimisation: Optimisation
    limits: Limits | None  # None: a fixed number of epochs
    capped: bool  # by a limit on steps
    seed: int

    @property
    def name(self) -> str:
        return str(self.document.path or "document")

    def rows_of(self, steps: int) -> tuple[Row, ...]:
        """The rows that the first `steps` optimiser steps train on."""
        return self.schedule.rows[: steps * self.optimisation.rows_per_step]


def make_plan(
    document: Document,
    options: TrainOptions,
    known: Known | None = None,
    *,
    number: int = 0,
    hardware: Plan | None = None,
) -> TrainingPlan:
    """Validate the document, find its base, encode its rows and lay out the run.

    `known` is what version `number` already knows of it; None trains all of it. `hardware` is that
    of an earlier run, to be taken over as it was. Raises DocumentError, TrainingError or
    BaseModelError before anything is changed.
    """
    config = document.frontmatter.training
    lessons = teaching(document)
    name = str(document.path or "document")
    refuse_contamination(lessons.train, lessons.exam, name)
    known = sealed(known or everything(items(lessons.train)), lessons)
    base, folder = _base(document)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    length = sequence_length(config, codec.context_length)
    seed = config.seed if options.seed is None else options.seed
    hardware = plan_again(detect(), hardware) if hardware else _hardware(config, base, length)
    encode = Encoder(codec, length, name, config.trust)
    general, samples = _rehearsal(config, codec, folder)
    material = gather(known, lessons, general, samples, encode, number=number)
    mixture = _mixture(config, hardware, len(material.pairs))
    limits = _limits(config, options, material, mixture)
    schedule = build_schedule(
        material,
        reworder(known, lessons, encode),
        mixture,
        epochs=limits.max_epochs if limits else _fixed_epochs(config, options),
        seed=seed,
    )
    max_steps = options.max_steps or config.max_steps or schedule.steps
    return TrainingPlan(
        document=document,
        teaching=lessons,
        base=base,
        base_folder=folder,
        base_fingerprint=fingerprint(folder),
        hardware=hardware,
        codec=codec,
        sequence_length=length,
        known=known,
        pairs=encode.rows(lessons.pairs),
        prose=encode.rows(lessons.prose),
        held_out=encode.rows(lessons.held_out),
        material=material,
        schedule=_cut(schedule, max_steps),
        optimisation=_optimisation(config, base, hardware, seed, fixed=limits is None),
        limits=limits,
        capped=max_steps < schedule.steps,
        seed=seed,
    )


def _base(document: Document) -> tuple[BaseModel, Path]:
    base = resolve(document.frontmatter.base_model)
    folder = local_folder(base)
    if not base.params:  # a hub model that nothing was known of until it was fetched
        base = with_facts(base, folder)
    return base, folder


def _hardware(config: TrainingConfig, base: BaseModel, length: int) -> Plan:
    return plan_hardware(
        detect(),
        base,
        sequence_length=length,
        micro_batch=config.micro_batch_size,
        grad_accum=config.grad_accum,
        precision=config.precision,
        lora_rank=config.lora_r,
    )


def _limits(
    config: TrainingConfig, options: TrainOptions, material: Material, mixture: Mixture
) -> Limits | None:
    """The bounds of the auto budget; a large document is gone through fewer times."""
    if options.epochs is not None or config.num_epochs != "auto":
        return None
    usual = Limits()
    rows = len(material.pairs) * (1 + mixture.rewordings) + len(material.prose)
    epochs = max(_FEWEST_EPOCHS, min(usual.max_epochs, _MOST_ROWS // max(1, rows)))
    return replace(usual, max_epochs=epochs, min_epochs=min(usual.min_epochs, epochs))


def _fixed_epochs(config: TrainingConfig, options: TrainOptions) -> int:
    if options.epochs is not None:
        return options.epochs
    assert config.num_epochs != "auto"
    return config.num_epochs


def _rehearsal(config: TrainingConfig, codec: Codec, folder: Path) -> tuple[list[Row], list[Row]]:
    """General text of people, and of the base itself."""
    if not config.rehearsal.enabled:
        return [], []
    texts = general_rows(rehearsal_texts(), codec, _GENERAL_LENGTH)
    return texts, sample_rows(samples_of(folder) or (), codec)


def _mixture(config: TrainingConfig, hardware: Plan, pairs: int) -> Mixture:
    """Rewordings matter most where there are few pairs to generalise from."""
    mixture = Mixture(
        rows_per_step=hardware.micro_batch * hardware.grad_accum,
        rewordings=3 if pairs <= 200 else 1 if pairs <= 2000 else 0,
        replay_share=config.replay.share,
        real_share=config.real_share,
    )
    share = config.rehearsal.share
    return mixture if share == "auto" else replace(mixture, general_share=share)


def _optimisation(
    config: TrainingConfig, base: BaseModel, hardware: Plan, seed: int, *, fixed: bool
) -> Optimisation:
    rate = base.sft_learning_rate if config.learning_rate == "auto" else config.learning_rate
    return Optimisation(
        learning_rate=rate,
        # With an open end there is no last step to decay towards.
        schedule=config.lr_scheduler if fixed else "constant",
        warmup_ratio=config.warmup_ratio,
        micro_batch=hardware.micro_batch,
        grad_accum=hardware.grad_accum,
        gradient_checkpointing=hardware.gradient_checkpointing,
        seed=seed,
    )


def _cut(schedule: Schedule, max_steps: int) -> Schedule:
    if max_steps >= schedule.steps:
        return schedule
    per_step = len(schedule.rows) // schedule.steps
    ends = [end for end in schedule.epoch_ends if end < max_steps]
    return Schedule(schedule.rows[: max_steps * per_step], (*ends, max_steps))
