"""The line that `dlm init` prints about the base."""

from __future__ import annotations

import pytest

from dlm.base_models import BASE_MODELS, resolve
from dlm.cli.base import describe, suited
from dlm.hardware import Gpu, Machine

TWO_CORES = Machine(cores=2, memory_gb=8, available_gb=6)
WORKSTATION = Machine(16, 64, 50, (Gpu("RTX 4090", 25.7, 24.5, (8, 9)),))


def test_pocket_is_said_to_be_for_trying_and_something_larger_is_named() -> None:
    line = describe(resolve("pocket"), TWO_CORES)
    assert "rewordings mostly fail" in line
    assert "base_model: smollm2-135m (0.27 GB) suits this machine (2 cores, 8 GB)" in line
    assert "\n" not in line


def test_a_gpu_is_given_a_larger_base_than_two_cores() -> None:
    small, large = suited(TWO_CORES), suited(WORKSTATION)
    assert small is not None
    assert large is not None
    assert large.params > 10 * small.params


def test_what_is_recommended_can_be_had_without_asking_anybody() -> None:
    for machine in (TWO_CORES, WORKSTATION, Machine(8, 17, 9, (), mps=True)):
        base = suited(machine)
        assert base is not None
        assert not base.requires_acceptance
        assert base.license_spdx in {"Apache-2.0", "MIT"}


def test_a_large_base_on_a_small_machine_hears_of_a_quicker_one() -> None:
    assert "quicker to train" in describe(resolve("qwen2.5-1.5b"), TWO_CORES)
    assert "quicker" not in describe(resolve("qwen2.5-1.5b"), WORKSTATION)


def test_where_only_pocket_fits_nothing_else_is_promised() -> None:
    tiny = Machine(cores=1, memory_gb=1.5, available_gb=1.4)
    assert suited(tiny) is None
    assert "for real use" not in describe(resolve("pocket"), tiny)


@pytest.mark.parametrize("key", [*BASE_MODELS, "hf:org/unknown"])
def test_every_base_has_a_line(key: str) -> None:
    assert describe(resolve(key), TWO_CORES).startswith(key)
