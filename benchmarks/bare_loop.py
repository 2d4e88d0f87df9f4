"""A plain LoRA loop in PyTorch, to compare with: no rehearsal, no rewordings, fixed epochs."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from dlm.data.chat import Codec
from dlm.data.rows import Row
from dlm.doc.parser import parse_file
from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model
from dlm.eval.measure import Evaluator
from dlm.train.options import TrainOptions
from dlm.train.plan import make_plan


def train_bare(
    document: Path, *, rate: float = 2e-3, epochs: int = 20, batch: int = 4
) -> tuple[Model, Codec, float, int, int]:
    """Returns the model, its codec, the drift in nats, and the steps and epochs taken."""
    plan = make_plan(parse_file(document), TrainOptions())
    model = Model.load(
        plan.base_folder, plan.hardware, new_adapter=LoraSettings(16, 32, 0.0, "all-linear", 0)
    )
    evaluator = Evaluator(model, plan.codec)
    rows = [*plan.pairs, *plan.material.prose]
    steps = fit_bare(model, rows, rate=rate, epochs=epochs, batch=batch, pad_id=plan.codec.pad_id)
    return model, plan.codec, evaluator.drift(), steps, epochs


def fit_bare(
    model: Model, rows: list[Row], *, rate: float, epochs: int, batch: int, pad_id: int
) -> int:
    """AdamW with linear decay over shuffled batches; returns the steps taken."""
    parameters = [p for p in model.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    total = epochs * -(-len(rows) // batch)
    order, step = random.Random(0), 0
    model.network.train()
    for _ in range(epochs):
        shuffled = order.sample(rows, len(rows))
        for start in range(0, len(rows), batch):
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 5) * max(0.05, 1 - step / total)
            one_step(model, shuffled[start : start + batch], parameters, optimizer, pad_id)
            step += 1
    model.network.eval()
    return step


def one_step(
    model: Model,
    rows: list[Row],
    parameters: list[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    pad_id: int,
) -> None:
    """Loss on supervised positions, clip, step."""
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[pad_id] * (width - len(row.ids))] for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in rows])
    keep = torch.zeros_like(ids, dtype=torch.bool)
    for index, row in enumerate(rows):
        keep[index, : len(row.ids) - 1] = torch.tensor(row.supervised[1:])
    logits = model.network(
        input_ids=ids, attention_mask=mask, logits_to_keep=keep, use_cache=False
    ).logits
    loss = cross_entropy(logits.float(), ids[:, 1:][keep[:, :-1]])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
