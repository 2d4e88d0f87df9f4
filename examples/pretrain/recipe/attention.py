"""Causal attention within documents: two ways to compute the same thing.

`flex` skips the blocks of a row in which no two tokens share a document; it trains on CUDA only.
`sdpa` takes the mask as it is and runs everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from dlm.errors import DlmError

WAYS: Final = ("auto", "flex", "sdpa")

# query, key, value [rows, heads, length, width] and a mask to mixed values of the same shape
Attention = Callable[[Tensor, Tensor, Tensor, Any], Tensor]
# document numbers [rows, length] to the mask that the attention takes
Masker = Callable[[Tensor], Any]


def attention(way: str, device: torch.device, *, compiled: bool) -> tuple[Attention, Masker]:
    """The attention and what makes its masks; `auto` takes flex where it trains fast."""
    if way == "auto":
        way = "flex" if device.type == "cuda" and compiled else "sdpa"
    if way == "sdpa":
        return sdpa, dense_mask
    if device.type != "cuda":
        raise DlmError("flex attention trains on CUDA only", hint="leave out --attention flex")
    return flex, block_mask


def sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    return scaled_dot_product_attention(query, key, value, attn_mask=mask)


def dense_mask(documents: Tensor) -> Tensor:
    """True where a token may look, [rows, 1, length, length]."""
    length = documents.shape[1]
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same & torch.ones(length, length, dtype=torch.bool, device=documents.device).tril()


def flex(query: Tensor, key: Tensor, value: Tensor, mask: Any) -> Tensor:
    # Within a compiled model this is traced into it; on its own it would be computed in full.
    return flex_attention(query, key, value, block_mask=mask)


def block_mask(documents: Tensor) -> Any:
    """The same as `dense_mask`, as blocks of 128 by 128 of which the empty ones are left out."""

    def may_look(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[row, query] == documents[row, key])

    rows, length = documents.shape
    # Not compiled: it is a few comparisons, and a graph would have to hand out this function.
    return create_block_mask(may_look, rows, None, length, length, device=documents.device)
