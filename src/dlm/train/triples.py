"""All decisions of a preference phase, taken before torch is imported."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain, islice

from dlm.data.rows import PairRow, Row, RowKind, encode_rows, pair_rows
from dlm.data.schedule import Schedule
from dlm.doc.schema import PreferenceConfig
from dlm.train.base import LoadedBase, Setup
from dlm.train.known import KnownTriples
from dlm.train.losses import Method, Objective
from dlm.train.options import TrainOptions
from dlm.train.plan import PhasePlan
from dlm.train.steps import Optimisation

FEW = 200
"""Triples below which ORPO is the method that `auto` chooses."""

_BETA: Mapping[Method, float] = {"dpo": 0.1, "orpo": 0.5}
_NLL: Mapping[Method, float] = {"dpo": 0.2, "orpo": 1.0}  # ORPO has that term by definition
_REHEARSAL = 3.0  # of the other rows: less, and the document's own answers change their manner too
_EPOCHS = 20
_PAIRS = 4  # in a step
_OWN = 3  # rows of the document in a step: what it says must stay known
_GENERAL = 1
_SEQUENCES = 2  # of a pair


@dataclass(frozen=True, slots=True)
class PreferencePlan(PhasePlan):
    """What it takes to train triples; `pairs` are their rows."""

    known: KnownTriples
    pairs: tuple[PairRow, ...]
    own_pairs: tuple[Row, ...]  # of the document's instruction sections
    objective: Objective
    reference: str

    @property
    def triples(self) -> int:
        return len(self.pairs)

    def step_of(self, step: int) -> tuple[PairRow, ...]:
        """The pairs that an optimiser step trains, counted from 1."""
        size = self.optimisation.rows_per_step
        rows = self.schedule.rows[(step - 1) * size : step * size]
        return tuple(row for row in rows if isinstance(row, PairRow))


def make_preference_plan(
    setup: Setup, known: KnownTriples, options: TrainOptions, tools: LoadedBase
) -> PreferencePlan:
    """Encode the triples and lay out the phase; raises TrainingError naming one that is too long.

    Triples that are known are replayed beside the new ones.
    """
    training = setup.document.frontmatter.training
    config = training.preference
    triples = (*known.to_learn, *known.unchanged)
    pairs = pair_rows(triples, setup.codec, sequence_length=setup.sequence_length, path=setup.name)
    own = encode_rows(
        setup.lessons.train,
        setup.codec,
        sequence_length=setup.sequence_length,
        path=setup.name,
    )
    general = (tools.general, tools.samples) if training.rehearsal.enabled else ((), ())
    only = options.phase == "preference"  # else these are said of the phase before
    wanted = options.epochs if only and options.epochs else config.num_epochs
    epochs = _EPOCHS if wanted == "auto" else wanted
    schedule, size = _schedule(
        pairs[: len(known.to_learn)],
        pairs[len(known.to_learn) :],
        own,
        general,
        epochs,
        setup.seed,
    )
    steps = options.max_steps if only and options.max_steps else schedule.steps
    return PreferencePlan(
        **{field.name: getattr(setup, field.name) for field in fields(Setup)},
        known=known,
        pairs=pairs,
        own_pairs=tuple(row for row in own if row.kind is RowKind.PAIR),
        objective=_objective(config, len(triples)),
        reference=config.reference,
        schedule=schedule.cut(steps),
        optimisation=_optimisation(config, setup, size),
        open_end=wanted == "auto",
        capped=steps < schedule.steps,
    )


def with_references(
    rows: Sequence[PairRow | Row], references: Mapping[str, tuple[float, float]]
) -> list[PairRow | Row]:
    """The rows with the reference scores of their triples."""
    return [
        replace(row, reference=references[row.lesson.id]) if isinstance(row, PairRow) else row
        for row in rows
    ]


def _objective(config: PreferenceConfig, triples: int) -> Objective:
    method: Method = "orpo" if triples < FEW else "dpo"
    if config.method != "auto":
        method = config.method
    beta = _BETA[method] if config.beta == "auto" else config.beta
    return Objective(method, config.loss_type, beta, _NLL[method], _REHEARSAL)


def _schedule(
    new: Sequence[PairRow],
    known: Sequence[PairRow],
    own: Sequence[Row],
    general: tuple[Sequence[Row], Sequence[Row]],
    epochs: int,
    seed: int,
) -> tuple[Schedule[PairRow | Row], int]:
    """Each epoch holds every new triple, as many known ones, and each step a few other rows.

    Returns the rows of a step beside the schedule.
    """
    others = _turns(own, seed), _turns(_alternating(*general, seed), seed)
    counts = (_OWN if own else 0, _GENERAL if any(general) else 0)
    size = _PAIRS + sum(counts)
    rows: list[PairRow | Row] = []
    ends: list[int] = []
    for epoch in range(epochs):
        rng = random.Random(f"preference:{seed}:{epoch}")
        replayed = rng.sample(known, min(len(known), max(len(new), 2 * _PAIRS)))
        pairs = [*new, *replayed]
        pairs += [rng.choice(pairs) for _ in range(-len(pairs) % _PAIRS)]
        rng.shuffle(pairs)
        for start in range(0, len(pairs), _PAIRS):
            rows += pairs[start : start + _PAIRS]
            for turns, count in zip(others, counts, strict=True):
                rows += islice(turns, count)
        ends.append(len(rows) // size)
    return Schedule(tuple(rows), tuple(ends)), size


def _turns(rows: Sequence[Row], seed: int) -> Iterator[Row]:
    """Every row in a new order each time round, without end; nothing when there are none."""
    order, rng = list(rows), random.Random(f"turns:{seed}")
    while order:
        rng.shuffle(order)
        yield from order


def _alternating(texts: Sequence[Row], samples: Sequence[Row], seed: int) -> list[Row]:
    """As many texts as samples, where there are both."""
    rng = random.Random(f"general:{seed}")
    count = min(len(texts), len(samples)) or max(len(texts), len(samples))
    both = [rng.sample(list(rows), min(count, len(rows))) for rows in (texts, samples)]
    return list(chain.from_iterable(both))


def _optimisation(config: PreferenceConfig, setup: Setup, size: int) -> Optimisation:
    rate = config.learning_rate
    fits = max(1, setup.hardware.micro_batch // _SEQUENCES)
    micro = max(number for number in range(1, size + 1) if size % number == 0 and number <= fits)
    return Optimisation(
        learning_rate=setup.base.preference_learning_rate if rate == "auto" else rate,
        schedule="constant",
        warmup_ratio=setup.document.frontmatter.training.warmup_ratio,
        micro_batch=micro,
        grad_accum=size // micro,
        gradient_checkpointing=setup.hardware.gradient_checkpointing,
        seed=setup.seed,
    )
