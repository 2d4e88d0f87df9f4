"""The losses of preference training against hand-computed values on a model of two tokens."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, strategies as st

from dlm.train.losses import Likelihoods, LossType, Objective, pair_losses

# The model says "a" or "b" at every position, whatever came before: "a" with probability P, and
# the adapter before the phase said it with probability Q.
P, Q = 0.8, 0.6
LN = math.log


def likelihoods(chosen: str = "aab", rejected: str = "b") -> Likelihoods:
    def sums(answer: str, of_a: float) -> float:
        return sum(LN(of_a if token == "a" else 1 - of_a) for token in answer)

    def tensor(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    return Likelihoods(
        chosen=tensor(sums(chosen, P)),
        rejected=tensor(sums(rejected, P)),
        chosen_tokens=tensor(len(chosen)),
        rejected_tokens=tensor(len(rejected)),
        reference_chosen=tensor(sums(chosen, Q)),
        reference_rejected=tensor(sums(rejected, Q)),
    )


def loss(method: str, beta: float, found: Likelihoods, kind: LossType = "sigmoid") -> float:
    objective = Objective("orpo" if method == "orpo" else "dpo", kind, beta, 0.0, 0.0)
    (value,) = pair_losses(objective, found).tolist()
    return float(value)


def test_dpo_on_two_tokens() -> None:
    """The chosen "aab" gained ln(.8² .2 / (.6² .4)), the rejected "b" gained ln(.2 / .4)."""
    gain = LN(0.64 * 0.2 / (0.36 * 0.4)) - LN(0.2 / 0.4)  # ln(16/9)
    assert gain == pytest.approx(LN(16 / 9))
    by_hand = -LN(1 / (1 + math.exp(-0.5 * LN(16 / 9))))  # σ(½ ln 16/9) = (4/3) / (7/3)
    assert by_hand == pytest.approx(LN(7 / 4))
    assert loss("dpo", 0.5, likelihoods()) == pytest.approx(LN(7 / 4), abs=1e-12)


def test_dpo_without_any_change_is_ln_2() -> None:
    same = likelihoods("ab", "ab")
    assert loss("dpo", 0.3, same) == pytest.approx(LN(2), abs=1e-12)


def test_hinge_and_ipo_on_two_tokens() -> None:
    assert loss("dpo", 0.5, likelihoods(), "hinge") == pytest.approx(1 - 0.5 * LN(16 / 9))
    assert loss("dpo", 9.0, likelihoods(), "hinge") == 0
    means = LN(0.64 * 0.2 / (0.36 * 0.4)) / 3 - LN(0.5)
    assert loss("dpo", 0.5, likelihoods(), "ipo") == pytest.approx((means - 1) ** 2)


def test_orpo_on_two_tokens() -> None:
    """ "aa" has mean probability .8 and odds 4; "ab" has √.16 and odds 2/3: they are as 6 to 1."""
    by_hand = -0.25 * LN(6 / 7)  # -λ ln σ(ln 6)
    assert loss("orpo", 0.25, likelihoods("aa", "ab")) == pytest.approx(by_hand, abs=1e-12)


def test_orpo_stays_finite_where_an_answer_is_certain() -> None:
    one = torch.tensor([0.0], requires_grad=True)
    tokens = torch.tensor([1.0])
    found = Likelihoods(one, torch.tensor([-1.0]), tokens, tokens, one, one)
    value = pair_losses(Objective("orpo", "sigmoid", 1.0, 0.0, 0.0), found).sum()
    value.backward()
    assert math.isfinite(value.item())
    assert one.grad is not None
    assert torch.isfinite(one.grad).all()


@given(
    st.floats(-60, -0.01),
    st.floats(-60, -0.01),
    st.integers(1, 50),
    st.sampled_from(["dpo", "orpo"]),
)
def test_a_likelier_chosen_answer_never_costs_more(
    low: float, other: float, tokens: int, method: str
) -> None:
    def of(chosen: float) -> float:
        values = (chosen, other, tokens, tokens, -5.0, -5.0)
        return loss(method, 0.2, Likelihoods(*(torch.tensor([float(v)]) for v in values)))

    assert of(low / 2) <= of(low) + 1e-6
