"""Scoring a row in parts: the scores of a long target over a large vocabulary fill the memory."""

from __future__ import annotations

from dlm.data.chat import Encoded
from dlm.engine.model import Model, Score

_LOGITS = 1 << 28  # bytes of float32 that may be held at once; a few copies come on top


def part_length(model: Model) -> int:
    """How many supervised tokens may be scored at once."""
    vocabulary: int = model.network.config.get_text_config().vocab_size
    return max(16, _LOGITS // (4 * vocabulary))


def score_in_parts(model: Model, row: Encoded, length: int) -> Score:
    """What `Model.score` gives for this row, read `length` tokens at a time."""
    from transformers import DynamicCache

    torch, device = model.torch, model.plan.device
    cache = DynamicCache(config=model.network.config)
    total, tokens, exact = 0.0, 0, True
    with model.inference():
        for start in range(0, len(row.ids) - 1, length):
            end = min(start + length, len(row.ids) - 1)
            keep = torch.tensor([row.supervised[start + 1 : end + 1]], device=device)
            output = model.network(
                input_ids=torch.tensor([row.ids[start:end]], device=device),
                attention_mask=torch.ones(1, end, dtype=torch.long, device=device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=keep if keep.any() else 1,
            )
            if keep.any():
                targets = torch.tensor([row.ids[start + 1 : end + 1]], device=device)[keep]
                logits = output.logits.float()
                losses = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
                total += losses.item()
                tokens += len(targets)
                exact = exact and bool((logits.argmax(-1) == targets).all())
    return Score(total / tokens if tokens else float("nan"), tokens, exact)
