"""Token rows as a trainer takes them: a dataset, a collator, and the tokenizer it insists on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlm.data.pair_rows import PairRow
from dlm.data.rows import Row


class Collator:
    """Pads a list of row dictionaries on the right; shapes are (sequences, longest sequence).

    Where there are pairs, `input_ids`, `labels` and `attention_mask` hold a sequence for each row
    (of a pair, the chosen answer's), then the rejected answers; all else has one entry a row.
    """

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        pairs = [row for row in rows if row.get("is_pair")]
        ids = [row["input_ids"] for row in rows] + [row["rejected_ids"] for row in pairs]
        labels = [row["labels"] for row in rows] + [row["rejected_labels"] for row in pairs]
        width = max(map(len, ids))

        def padded(sequences: list[list[int]], fill: int) -> Any:
            return torch.tensor([one + [fill] * (width - len(one)) for one in sequences])

        batch = {
            "input_ids": padded(ids, self._pad_id),
            "labels": padded(labels, -100),
            "attention_mask": padded([[1] * len(one) for one in ids], 0),
            "row_weight": torch.tensor([row["row_weight"] for row in rows], dtype=torch.float32),
        }
        if "is_pair" in rows[0]:
            reference = [row["reference"] for row in rows]
            return batch | {
                "is_pair": torch.tensor([row["is_pair"] for row in rows]),
                "reference": torch.tensor(reference, dtype=torch.float32),
            }
        return batch | {"toward_base": torch.tensor([row["toward_base"] for row in rows])}


def dataset(rows: Sequence[Row | PairRow]) -> Any:
    """One entry a row: `input_ids`, `labels` (-100: does not count), weight, what it aims at.

    A pair has those of its chosen answer, the same of its rejected one, and their reference.
    """
    from datasets import Dataset

    firsts = [row.chosen if isinstance(row, PairRow) else row for row in rows]
    columns: dict[str, list[Any]] = {
        "input_ids": [list(row.ids) for row in firsts],
        "labels": [_labels(row) for row in firsts],
        "row_weight": [row.weight for row in rows],
    }
    if any(isinstance(row, PairRow) for row in rows):
        pairs = [row if isinstance(row, PairRow) else None for row in rows]
        columns |= {
            "is_pair": [pair is not None for pair in pairs],
            "rejected_ids": [list(pair.rejected.ids) if pair else [] for pair in pairs],
            "rejected_labels": [_labels(pair.rejected) if pair else [] for pair in pairs],
            "reference": [list(pair.reference) if pair else [0.0, 0.0] for pair in pairs],
        }
    else:
        columns["toward_base"] = [row.forgets for row in firsts]
    return Dataset.from_dict(columns)


def tokenizer(pad_id: int) -> Any:
    """TRL insists on a tokenizer; rows are encoded already, so one with a pad token serves."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"<{i}>": i for i in range(pad_id + 1)}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="<0>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token=f"<{pad_id}>", eos_token=f"<{pad_id}>"
    )


def _labels(row: Row) -> list[int]:
    return [token if on else -100 for token, on in zip(row.ids, row.supervised, strict=True)]
