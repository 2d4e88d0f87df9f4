"""Token rows as a trainer takes them: a dataset, a collator, and the tokenizer it insists on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlm.data.rows import Part, Row


class Collator:
    """Pads a list of row dictionaries on the right; shapes are (rows, longest row)."""

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        width = max(len(row["input_ids"]) for row in rows)

        def padded(key: str, fill: int) -> Any:
            return torch.tensor([row[key] + [fill] * (width - len(row[key])) for row in rows])

        attention = [
            [1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows
        ]
        return {
            "input_ids": padded("input_ids", self._pad_id),
            "labels": padded("labels", -100),
            "attention_mask": torch.tensor(attention),
            "row_weight": torch.tensor([row["row_weight"] for row in rows], dtype=torch.float32),
            "toward_base": torch.tensor([row["toward_base"] for row in rows]),
        }


def dataset(rows: Sequence[Row]) -> Any:
    """One entry a row: `input_ids`, `labels` (-100: does not count), weight, what it aims at."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [list(row.ids) for row in rows],
            "labels": [
                [token if on else -100 for token, on in zip(row.ids, row.supervised, strict=True)]
                for row in rows
            ],
            "row_weight": [row.weight for row in rows],
            "toward_base": [row.part is Part.FORGOTTEN for row in rows],
        }
    )


def tokenizer(pad_id: int) -> Any:
    """TRL insists on a tokenizer; rows are encoded already, so one with a pad token serves."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"<{i}>": i for i in range(pad_id + 1)}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="<0>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token=f"<{pad_id}>", eos_token=f"<{pad_id}>"
    )
