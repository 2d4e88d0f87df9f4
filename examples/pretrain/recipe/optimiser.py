"""Muon for the matrices inside the layers, AdamW for embeddings and norms.

Muon as in torch.optim.Muon (Jordan et al., 2024); here matrices of one shape are worked on
together, because one small matrix after the other leaves a GPU idle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import Tensor, nn

_STEPS: Final = 5  # of the Newton–Schulz iteration
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_MOMENTUM: Final = 0.95

MUON_RATE: Final = 0.02
ADAM_RATE: Final = 3e-3
WEIGHT_DECAY: Final = 0.1


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal: every direction of a matrix moves by the same amount."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.shape].append(weight)
            for weights in alike.values():
                self._move(weights, group["lr"], group["weight_decay"])

    def _move(self, weights: list[Tensor], rate: float, decay: float) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - _MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, _MOMENTUM)  # Nesterov
        rows, columns = weights[0].shape
        updates = list(orthogonal(torch.stack(ahead)).to(weights[0].dtype).unbind())
        torch._foreach_mul_(weights, 1 - rate * decay)
        torch._foreach_add_(weights, updates, alpha=-rate * max(1.0, rows / columns) ** 0.5)

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        return momentum


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest orthogonal matrices, roughly, of [n, rows, columns], in bfloat16."""
    first, second, third = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    found: Tensor = matrices.mT if tall else matrices
    found = found.bfloat16()
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = found @ found.mT
        found = first * found + (second * gram + third * gram @ gram) @ found
    return found.mT if tall else found


class Optimisers:
    """Both optimisers as one, their rates scaled together."""

    def __init__(self, model: nn.Module) -> None:
        inner, norms, embeddings = _parts(model)
        fused = embeddings[0].is_cuda
        adam = [
            {"params": embeddings, "weight_decay": WEIGHT_DECAY * 0.1},
            {"params": norms, "weight_decay": 0.0},
        ]
        self._all = (
            Muon(inner, lr=MUON_RATE, weight_decay=WEIGHT_DECAY),
            torch.optim.AdamW(adam, lr=ADAM_RATE, betas=(0.9, 0.95), eps=1e-10, fused=fused),
        )

    def step(self, scale: float) -> None:
        """One step at `scale` times the full rates, then no gradients."""
        for optimiser, rate in zip(self._all, (MUON_RATE, ADAM_RATE), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * scale
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        return [optimiser.state_dict() for optimiser in self._all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for optimiser, state in zip(self._all, states, strict=True):
            optimiser.load_state_dict(state)


def _parts(
    model: nn.Module,
) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Matrices inside the layers, vectors, embeddings."""
    inner: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    embeddings: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            vectors.append(weight)
        else:
            (embeddings if "embed_tokens" in name else inner).append(weight)
    return inner, vectors, embeddings
