"""All decisions of a training, taken before torch is imported: rows, order, rates, device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from dlm.data.lessons import Lessons, lessons_of, parts
from dlm.data.rows import Row, sequence_length
from dlm.data.schedule import Material, Mixture, Schedule, build_schedule
from dlm.doc.document import Document
from dlm.doc.schema import TrainingConfig
from dlm.hardware import Plan
from dlm.train.base import LoadedBase, Setup, checked, load_base, setup_of
from dlm.train.known import Known, everything, sealed
from dlm.train.material import Encoder, gather, reworder
from dlm.train.options import TrainOptions
from dlm.train.recipe import SMALL, Recipe, recipe_of
from dlm.train.samples import SAMPLE_LENGTH
from dlm.train.steps import Optimisation
from dlm.train.verdict import Limits
from dlm.working import Tell, untold

_MOST_ROWS = 32_000  # of one run with an open end
_FEWEST_EPOCHS = 3
_CUE = 12  # tokens by which another way to ask may be longer
# Between two saves: an epoch is a step or two, and no row is so long that it pads the others.
_QUICK_EPOCHS = 2
_QUICK_CUES_EVERY = 3
_QUICK_REWORDINGS = 2
_QUICK_GENERAL = 0.1
_QUICK_LENGTH = 1.3  # times that of the longest new pair
_QUICK_FEWEST = 8  # general rows to choose from
_CONTINUED_RATE = 0.5  # of the usual one: what is new is learned as soon, and disturbs less


@dataclass(frozen=True, slots=True)
class PhasePlan(Setup):
    """What every phase is given, as values. Printable before anything heavy is loaded."""

    schedule: Schedule[Any]
    optimisation: Optimisation
    open_end: bool  # the budget may stop it
    capped: bool  # by a limit on steps

    def ran_out(self, steps: int) -> str:
        """Why a run ended after `steps` that nothing stopped."""
        epochs = len(self.schedule.epoch_ends)
        if self.capped:
            return f"the limit of {steps} steps"
        return f"the cap of {epochs} epochs" if self.open_end else f"all {epochs} epochs done"


@dataclass(frozen=True, slots=True)
class TrainingPlan(PhasePlan):
    """What it takes to train prose and pairs."""

    known: Known
    pairs: tuple[Row, ...]  # all of the document, in its order
    held_out: tuple[Row, ...]  # never trained on
    material: Material
    limits: Limits | None  # None: a fixed number of epochs

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
    tools: LoadedBase | None = None,
    lessons: Lessons | None = None,
    tell: Tell = untold,
) -> TrainingPlan:
    """Validate the document, find its base, encode its rows and lay out the run.

    `known` is what version `number` already knows of it; None trains all of it. `hardware` is that
    of an earlier run, to be taken over as it was; `tools` those of its base and
    `lessons` what it teaches, searched for what gives its exam away, where they are at hand; `tell`
    is told how far the encoding is. Raises
    DocumentError, TrainingError or BaseModelError before anything is changed.
    """
    config = document.frontmatter.training
    tools = tools or load_base(document)
    lessons = lessons or checked(document, lessons_of(document), tell)
    known = sealed(known or everything(parts(lessons.train)), lessons)
    length = sequence_length(config, tools.codec.context_length)
    name = str(document.path or "document")
    encode = Encoder(tools.codec, length, name, config.trust, tell)
    recipe = recipe_of(tools.base)
    # Many sentences would cost more time than the pairs, or be asked for too seldom to sit.
    cued = recipe.most_cued if config.cued_sentences == "auto" else None
    general = tools.general, tools.samples
    material = gather(known, lessons, *general, encode, number=number, most_cued=cued)
    if options.quick:
        material = _of_short_rows(material)
    longest = min(length, _longest(material) + _CUE)
    setup = setup_of(document, lessons, options, tools, hardware, longest=longest)
    mixture = _mixture(recipe, config, setup.hardware, material, quick=options.quick)
    limits = _limits(recipe, config, options, material, mixture)
    schedule = build_schedule(
        material,
        reworder(encode),
        mixture,
        epochs=limits.max_epochs if limits else _fixed_epochs(config, options),
        seed=setup.seed,
    )
    max_steps = options.max_steps or config.max_steps or schedule.steps
    return TrainingPlan(
        **{field.name: getattr(setup, field.name) for field in fields(setup)},
        known=known,
        pairs=encode.rows(lessons.pairs),
        held_out=encode.rows(lessons.held_out),
        material=material,
        schedule=schedule.cut(max_steps),
        optimisation=_optimisation(
            config,
            setup,
            fixed=limits is None,
            continues=number > 0 and not known.forgotten,
            quick=options.quick,
        ),
        limits=limits,
        open_end=limits is not None,
        capped=max_steps < schedule.steps,
    )


def _of_short_rows(material: Material) -> Material:
    """`material` without the general rows that are much longer than its new pairs.

    All where there are too few short ones to choose from.
    """
    own = max((len(row.ids) for row in material.pairs), default=0)

    def short(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if len(row.ids) <= _QUICK_LENGTH * own]

    general, samples = short(material.general), short(material.samples)
    if len(general) + len(samples) < _QUICK_FEWEST:
        return material
    return replace(material, general=general, samples=samples)


def _longest(material: Material) -> int:
    kinds = (getattr(material, field.name) for field in fields(material))
    rows = (row for kind in kinds for row in kind if isinstance(row, Row))
    return max((SAMPLE_LENGTH, *(len(row.ids) for row in rows)))


def _limits(
    recipe: Recipe,
    config: TrainingConfig,
    options: TrainOptions,
    material: Material,
    mixture: Mixture,
) -> Limits | None:
    """The bounds of the auto budget; a large document is gone through fewer times."""
    if options.epochs is not None or config.num_epochs != "auto":
        return None
    usual = Limits()
    cued = min(len(material.sentences), mixture.most_cued)
    rows = len(material.pairs) * (1 + mixture.rewordings) + len(material.prose) + cued
    epochs = max(_FEWEST_EPOCHS, min(usual.max_epochs, _MOST_ROWS // max(1, rows)))
    least = min(_QUICK_EPOCHS, recipe.min_epochs) if options.quick else recipe.min_epochs
    return replace(
        usual,
        max_epochs=epochs,
        min_epochs=min(least, epochs),
        answer_nll=usual.answer_nll if options.quick else recipe.answer_nll,
    )


def _fixed_epochs(config: TrainingConfig, options: TrainOptions) -> int:
    if options.epochs is not None:
        return options.epochs
    assert config.num_epochs != "auto"
    return config.num_epochs


def _mixture(
    recipe: Recipe, config: TrainingConfig, hardware: Plan, material: Material, *, quick: bool
) -> Mixture:
    """Rewordings matter most where there are few pairs to generalise from."""
    pairs = len(material.pairs)
    most = recipe.rewordings if pairs <= 200 else 1 if pairs <= 2000 else 0
    mixture = Mixture(
        rows_per_step=hardware.micro_batch * hardware.grad_accum,
        rewordings=min(recipe.rewordings, most),
        prose_every=recipe.prose_every if config.open_book else SMALL.prose_every,
        most_cued=recipe.most_cued if config.cued_sentences == "auto" else config.cued_sentences,
        cues_every=_QUICK_CUES_EVERY if quick else 1,
        replay_share=recipe.replay_share,
        real_share=config.real_share,
        general_share=recipe.general_share,
        texts_every=recipe.texts_every,
    )
    if quick:
        mixture = replace(
            mixture,
            rewordings=min(mixture.rewordings, _QUICK_REWORDINGS),
            general_share=min(mixture.general_share, _QUICK_GENERAL),
        )
    if config.replay.share != "auto":
        mixture = replace(mixture, replay_share=config.replay.share)
    if config.rehearsal.share != "auto":
        mixture = replace(mixture, general_share=config.rehearsal.share)
    return mixture


def _optimisation(
    config: TrainingConfig, setup: Setup, *, fixed: bool, continues: bool, quick: bool
) -> Optimisation:
    """A quick run goes on where the last one was a moment ago: a warm-up would cost half of it."""
    hardware = setup.hardware
    usual = setup.base.sft_learning_rate * (_CONTINUED_RATE if continues else 1)
    rate = usual if config.learning_rate == "auto" else config.learning_rate
    return Optimisation(
        learning_rate=rate,
        # With an open end there is no last step to decay towards.
        schedule=config.lr_scheduler if fixed else "constant",
        warmup_ratio=0.0 if quick and continues else config.warmup_ratio,
        micro_batch=hardware.micro_batch,
        grad_accum=hardware.grad_accum,
        gradient_checkpointing=hardware.gradient_checkpointing,
        seed=setup.seed,
    )
