"""The losses of preference training, for whole answers: DPO and its variants, and ORPO.

Pure functions of log-likelihoods. Where those come from and how pairs are weighted is not known
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Method = Literal["dpo", "orpo"]
LossType = Literal["sigmoid", "hinge", "ipo"]

_NEAR_ONE = -1e-6  # a mean log-probability above it would have infinite odds


@dataclass(frozen=True, slots=True)
class Objective:
    """What a preference step minimises.

    `beta` is the temperature of DPO, or the weight of the odds ratio in ORPO; `nll` the weight of
    the chosen answers' mean loss a token, `rehearsal` that of the other rows of the step.
    """

    method: Method
    loss_type: LossType
    beta: float
    nll: float
    rehearsal: float


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Summed log-probabilities of both answers of each pair, in nats, and their tokens.

    All are tensors of shape (pairs,); the reference ones come from the adapter before the phase.
    """

    chosen: Any
    rejected: Any
    chosen_tokens: Any
    rejected_tokens: Any
    reference_chosen: Any
    reference_rejected: Any


def pair_losses(objective: Objective, found: Likelihoods) -> Any:
    """The loss of each pair, shape (pairs,), without the terms for the answers' own likelihood."""
    if objective.method == "orpo":
        return _odds_ratio(objective.beta, found)
    return _DPO[objective.loss_type](objective.beta, found)


def _sigmoid(beta: float, found: Likelihoods) -> Any:
    """DPO: Rafailov et al. (2023), "Direct Preference Optimization", equation 7."""
    from torch.nn.functional import logsigmoid

    return -logsigmoid(beta * _gain(found))


def _hinge(beta: float, found: Likelihoods) -> Any:
    """Zhao et al. (2023), "SLiC-HF", on the log-ratio of DPO."""
    from torch import relu

    return relu(1 - beta * _gain(found))


def _ipo(beta: float, found: Likelihoods) -> Any:
    """Azar et al. (2024), "A General Theoretical Paradigm", equation 17, on means over tokens."""
    chosen = (found.chosen - found.reference_chosen) / found.chosen_tokens
    rejected = (found.rejected - found.reference_rejected) / found.rejected_tokens
    return (chosen - rejected - 1 / (2 * beta)) ** 2


def _odds_ratio(beta: float, found: Likelihoods) -> Any:
    """ORPO: Hong et al. (2024), "Monolithic Preference Optimization", equations 4 and 7.

    With p the geometric mean of an answer's token probabilities, its odds are p / (1 - p).
    """
    from torch.nn.functional import logsigmoid

    chosen = (found.chosen / found.chosen_tokens).clamp(max=_NEAR_ONE)
    rejected = (found.rejected / found.rejected_tokens).clamp(max=_NEAR_ONE)
    log_odds = (chosen - rejected) - (_log1mexp(chosen) - _log1mexp(rejected))
    return -beta * logsigmoid(log_odds)


def _gain(found: Likelihoods) -> Any:
    """By how much the chosen answer gained on the rejected one since the reference."""
    chosen = found.chosen - found.reference_chosen
    return chosen - (found.rejected - found.reference_rejected)


def _log1mexp(x: Any) -> Any:
    """log(1 - exp(x)) for x < 0, in two halves so that neither loses its digits (Mächler, 2012)."""
    import torch

    near_zero = x > -0.6931472
    small = torch.log(-torch.expm1(torch.where(near_zero, x, -1.0)))
    large = torch.log1p(-torch.exp(torch.where(near_zero, -1.0, x)))
    return torch.where(near_zero, small, large)


_DPO = {"sigmoid": _sigmoid, "hinge": _hinge, "ipo": _ipo}
