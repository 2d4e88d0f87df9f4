"""What an optimiser step minimises: a TRL trainer with losses on supervised positions only.

Answers and prose count by trust; pairs of a better and a worse answer by an `Objective`: DPO and
its variants, or ORPO, as pure functions of log-likelihoods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Method = Literal["dpo", "orpo"]
LossType = Literal["sigmoid", "hinge", "ipo"]

_NEAR_ONE = -1e-6  # a mean log-probability above it would have infinite odds
_LIKELY = 64  # tokens of the base that are told apart
_HARDLY = 1e-6  # a probability that counts as none


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


_COLUMNS = ("row_weight", "toward_base", "is_pair", "reference", "rejected_ids", "rejected_labels")


def trainer_class() -> type[Any]:
    """TRL's SFTTrainer, extended; TRL is imported here."""
    import torch
    from trl import SFTTrainer

    class _RowSFTTrainer(SFTTrainer):  # type: ignore[misc]
        """SFTTrainer on supervised positions only, each row's tokens scaled by its weight.

        With w the row weights and n the supervised tokens, the loss of an optimiser step is
        sum(w * nll) / sum(w * n) over all its micro-batches and processes. On rows that train
        towards the base, KL(base || adapter) takes the place of the nll (Hinton et al., 2015): what
        the model says there becomes what the base said. Of pairs, see `_preference_loss`.
        """

        _signature_columns: list[str]
        objective: Objective | None = None
        last_loss = 0.0
        last_tokens = 0
        last_pairs: list[list[tuple[float, float]]]  # of each micro-batch

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            ours = [name for name in _COLUMNS if name not in self._signature_columns]
            self._signature_columns = [*self._signature_columns, *ours]

        def _get_num_items_in_batch(self, batches: list[Any], device: Any) -> Any:
            self.last_loss, self.last_tokens, self.last_pairs = 0.0, 0, []
            total = sum(_norms(batch) for batch in batches).to(device)
            if self.accelerator.num_processes > 1:
                total = self.accelerator.gather(total[None]).sum(0)
            return total

        def compute_loss(
            self,
            model: Any,
            inputs: Any,
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            weight, labels = inputs.pop("row_weight"), inputs.pop("labels")
            keep = torch.zeros_like(labels, dtype=torch.bool)
            keep[:, :-1] = labels[:, 1:] != -100
            targets = labels[:, 1:][keep[:, :-1]]
            ours = {name: inputs.pop(name) for name in _COLUMNS if name in inputs}
            inputs |= {"use_cache": False, "logits_to_keep": keep}
            if "is_pair" in ours:
                assert self.objective is not None
                logits = model(**inputs).logits.float()
                loss, sums = _preference_loss(
                    self.objective, logits, targets, keep, weight, ours, num_items_in_batch
                )
                self.last_pairs.append(sums)
            else:
                nll = _token_losses(self, model, inputs, targets, keep, ours["toward_base"])
                row_weight = weight[:, None].expand_as(keep)[keep]
                loss = (nll * row_weight).sum() / num_items_in_batch[0]
            self.last_loss += loss.item()
            self.last_tokens += int(inputs["attention_mask"].sum())
            return loss * self.accelerator.num_processes

    return _RowSFTTrainer


def _preference_loss(
    objective: Objective,
    logits: Any,
    targets: Any,
    keep: Any,
    weight: Any,
    ours: Mapping[str, Any],
    norms: Any,
) -> tuple[Any, list[tuple[float, float]]]:
    """The weighted means of the pairs' losses, of the chosen answers' and of the rows' nll, added
    up; and the summed log-probabilities of both answers of each pair.

    `logits` (S, V) and `targets` (S,) are those of the supervised tokens, which `keep` (sequences,
    T) marks; `weight` (rows,) and `norms` as `_norms` gives them. Sequences are the rows, the
    chosen answer standing for a pair, then all rejected ones. Rows count alike, however long: short
    answers are not to drown in general text.
    """
    import torch
    from torch.nn.functional import cross_entropy

    is_pair, reference = ours["is_pair"], ours["reference"]
    nll = cross_entropy(logits, targets, reduction="none")  # (S,)
    tokens = keep.sum(1)  # (sequences,)
    summed = torch.stack([part.sum() for part in torch.split(nll, tokens.tolist())])
    rows = len(weight)
    found = Likelihoods(
        chosen=-summed[:rows][is_pair],
        rejected=-summed[rows:],
        chosen_tokens=tokens[:rows][is_pair],
        rejected_tokens=tokens[rows:],
        reference_chosen=reference[is_pair, 0],
        reference_rejected=reference[is_pair, 1],
    )
    sums = list(zip(found.chosen.tolist(), found.rejected.tolist(), strict=True))
    compared = (pair_losses(objective, found) * weight[is_pair]).sum()
    chosen = (summed[:rows] * weight)[is_pair].sum()
    others = (summed[:rows] / tokens[:rows].clamp(min=1) * weight)[~is_pair].sum()
    shares = (objective.rehearsal, objective.nll, 1.0)
    parts = zip(shares, (others, chosen, compared), norms, strict=True)
    return sum(share * part / norm for share, part, norm in parts if norm > 0), sums


def _token_losses(
    trainer: Any, model: Any, inputs: Mapping[str, Any], targets: Any, keep: Any, toward: Any
) -> Any:
    """(S,): of each supervised token its nll, or the divergence from the base in rows `toward` it.

    `keep` (rows, T) marks them, `targets` (S,) are they, `toward` is (rows,).
    """
    at = toward[:, None].expand_as(keep)[keep]
    wanted = toward
    if trainer.is_fsdp_enabled:  # where any process wants it, all must run it together
        wanted = trainer.accelerator.reduce(toward.any().float()[None])
    base = _said_by_base(trainer, model, inputs, toward, at) if bool(wanted.any()) else None
    told = model(**inputs).logits.float().log_softmax(-1)  # (S, V)
    nll = -told.gather(-1, targets[:, None])[:, 0]
    return nll if base is None else nll.masked_scatter(at, divergence(*base, told[at]))


def _said_by_base(
    trainer: Any, model: Any, inputs: Mapping[str, Any], rows: Any, at: Any
) -> tuple[Any, Any]:
    """The likeliest tokens of the base at each supervised token of `rows`, which `at` marks among
    those of all rows, and their probabilities: both (tokens, 64).

    FSDP runs all rows, because every process must run the network then.
    """
    import torch

    whole = trainer.accelerator.unwrap_model(model)
    with torch.no_grad(), whole.disable_adapter():
        if trainer.is_fsdp_enabled:
            logits = model(**inputs).logits[at]
        else:
            own = {
                name: value[rows] if torch.is_tensor(value) else value
                for name, value in inputs.items()
            }
            logits = whole(**own).logits
        likely = logits.float().softmax(-1).topk(min(_LIKELY, logits.shape[-1]))
    return likely.indices, likely.values


def divergence(tokens: Any, base: Any, told: Any) -> Any:
    """KL(base || model) in nats at each place, where all but some tokens count as one.

    `tokens` are those, `base` their probabilities, both (places, K); `told` the log-probabilities
    (places, V) of the model. Never more than the divergence over all tokens.
    """
    import torch

    mine = told.gather(-1, tokens)
    others = (1 - base.sum(-1)).clamp(min=_HARDLY)
    mine_others = torch.log1p(-mine.exp().sum(-1).clamp(max=1 - _HARDLY))
    apart = (base * (base.clamp(min=_HARDLY).log() - mine)).sum(-1)
    return apart + others * (others.log() - mine_others)


def _norms(batch: Any) -> Any:
    """What the parts of the loss are divided by: without pairs, the weighted tokens; shape (1,).

    With pairs the weights of the rows, the weighted tokens of chosen answers, and the weights of
    the pairs; shape (3,).
    """
    import torch

    weight = batch["row_weight"]
    tokens = weight * (batch["labels"][: len(weight), 1:] != -100).sum(1)
    if "is_pair" not in batch:
        return tokens.sum()[None]
    is_pair = batch["is_pair"]
    return torch.stack([weight[~is_pair].sum(), tokens[is_pair].sum(), weight[is_pair].sum()])
