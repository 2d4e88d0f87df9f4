"""The model: a Llama in plain PyTorch, its parameters named as transformers names them.

Several documents share a row: attention never crosses from one into another, and since rotary
positions are relative, each reads as if it stood alone. Knows no data and no optimiser.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from recipe.attention import Attention

EPSILON: Final = 1e-5
ROPE_BASE: Final = 10000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model; heads are 64 wide, but for the smallest."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    mlp: int
    context: int

    @property
    def head_width(self) -> int:
        return self.hidden // self.heads

    @property
    def parameters(self) -> int:
        """Embeddings are counted once: the output head is tied to them."""
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.mlp + 2 * self.hidden
        return self.vocabulary * self.hidden + self.layers * layer + self.hidden

    @property
    def flops_per_token(self) -> int:
        """Of a training step: 6 for each weight, and attention over half the context on average.

        As in appendix B of the PaLM report (Chowdhery et al., 2022), causal half only. Documents
        shorter than the context take less, so that a share of peak from it errs upwards.
        """
        return 6 * self.parameters + 6 * self.layers * self.hidden * self.context


CONFIGS: Final = {
    "tiny": Shape(vocabulary=1024, hidden=64, layers=2, heads=2, mlp=128, context=256),
    "pocket-10m": Shape(vocabulary=8192, hidden=320, layers=6, heads=5, mlp=896, context=1024),
    "pocket-30m": Shape(vocabulary=12288, hidden=448, layers=10, heads=7, mlp=1216, context=2048),
}


class Llama(nn.Module):
    """Token ids [rows, length] to the loss, or to logits [rows, length, vocabulary]."""

    def __init__(self, shape: Shape, attention: Attention) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape, attention)
        self._initialise()

    def forward(self, ids: Tensor, mask: object) -> Tensor:
        return functional.linear(self.model(ids, mask), self.model.embed_tokens.weight)

    def loss(self, ids: Tensor, targets: Tensor, weights: Tensor, mask: object) -> Tensor:
        """Weighted sum of the negative log-likelihood of `targets`, in nats; divide it yourself."""
        logits = self(ids, mask).flatten(0, 1).float()
        nats = functional.cross_entropy(logits, targets.flatten(), reduction="none")
        return (nats * weights.flatten()).sum()

    @torch.no_grad()
    def _initialise(self) -> None:
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                into_stream = name.endswith(("o_proj.weight", "down_proj.weight"))
                depth = math.sqrt(2 * self.shape.layers) if into_stream else 1.0
                nn.init.normal_(weight, std=0.02 / depth)


class Body(nn.Module):
    """Token ids to hidden states [rows, length, hidden]."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape, attention: Attention) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape, attention) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden)
        cosine, sine = _rotations(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, ids: Tensor, mask: object) -> Tensor:
        hidden: Tensor = self.embed_tokens(ids)
        if torch.is_autocast_enabled(ids.device.type):  # embeddings are not cast by themselves
            hidden = hidden.to(torch.get_autocast_dtype(ids.device.type))
        length = ids.shape[1]
        for layer in self.layers:
            hidden = layer(hidden, self.cosine[:length], self.sine[:length], mask)
        normed: Tensor = self.norm(hidden)
        return normed


class Layer(nn.Module):
    def __init__(self, shape: Shape, attention: Attention) -> None:
        super().__init__()
        self.input_layernorm = Norm(shape.hidden)
        self.self_attn = SelfAttention(shape, attention)
        self.post_attention_layernorm = Norm(shape.hidden)
        self.mlp = Mlp(shape)

    def forward(self, hidden: Tensor, cosine: Tensor, sine: Tensor, mask: object) -> Tensor:
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), cosine, sine, mask)
        added: Tensor = self.mlp(self.post_attention_layernorm(hidden))
        return hidden + added


class SelfAttention(nn.Module):
    def __init__(self, shape: Shape, attention: Attention) -> None:
        super().__init__()
        self.heads, self.width = shape.heads, shape.head_width
        self.attention = attention
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(shape.hidden, shape.hidden, bias=False) for _ in range(4)
        )

    def forward(self, hidden: Tensor, cosine: Tensor, sine: Tensor, mask: object) -> Tensor:
        query, key, value = (
            project(hidden).unflatten(-1, (self.heads, self.width)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )  # each [rows, heads, length, width]
        query, key = _turned(query, cosine, sine), _turned(key, cosine, sine)
        mixed = self.attention(query, key, value, mask)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.down_proj = nn.Linear(shape.mlp, shape.hidden, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        gated = functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden)
        out: Tensor = self.down_proj(gated)
        return out


class Norm(nn.Module):
    """RMSNorm (Zhang and Sennrich, 2019), taken in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, hidden: Tensor) -> Tensor:
        wide = hidden.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPSILON)
        return scaled.to(hidden.dtype) * self.weight.to(hidden.dtype)


def _rotations(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines [context, head width] of rotary positions (Su et al., 2021)."""
    width = shape.head_width
    speeds = 1.0 / ROPE_BASE ** (torch.arange(0, width, 2).float() / width)
    angles = torch.outer(torch.arange(shape.context).float(), speeds)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def _turned(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = states.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    return states * cosine.to(states.dtype) + turned * sine.to(states.dtype)
