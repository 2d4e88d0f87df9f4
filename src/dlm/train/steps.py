"""How optimiser steps are taken, and how several processes share the rows of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from dlm.data.lessons import GENERAL, Lesson, Role
from dlm.data.rows import PairRow, Row, RowKind

FILLING = Row(
    RowKind.GENERAL,
    (0, 0),
    (False, True),
    Lesson("", origin=GENERAL, role=Role.REHEARSE, weight=0.0),
)
"""A row that counts for nothing."""


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How to step: peak learning rate, schedule name, warm-up share, rows a step, gradient clip."""

    learning_rate: float
    schedule: str
    warmup_ratio: float
    micro_batch: int
    grad_accum: int
    gradient_checkpointing: bool
    seed: int
    max_grad_norm: float = 1.0

    @property
    def rows_per_step(self) -> int:
        return self.micro_batch * self.grad_accum


def shared_out(
    rows: Sequence[Row | PairRow], how: Optimisation, processes: int
) -> tuple[list[Row | PairRow], Optimisation]:
    """The same steps for several processes: the rows to give to accelerate, and how they step.

    accelerate hands out micro-batches in turn. A step that they do not divide is filled up with
    rows of weight 0, which add nothing to its loss, its gradient or what they are divided by.
    """
    share = math.ceil(how.rows_per_step / processes)
    micro = min(how.micro_batch, share)
    each = replace(how, micro_batch=micro, grad_accum=math.ceil(share / micro))
    full = each.rows_per_step * processes
    found: list[Row | PairRow] = []
    for start in range(0, len(rows), how.rows_per_step):
        step = rows[start : start + how.rows_per_step]
        found += [*step, *[FILLING] * (full - len(step))]
    return found, each


def in_order(parts: Sequence[Sequence[Sequence[Any]]]) -> list[Any]:
    """What each process found in each of its micro-batches, in the order of the step's rows."""
    return [one for turn in zip(*parts, strict=True) for one in chain.from_iterable(turn)]
