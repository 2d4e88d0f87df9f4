"""Versions that learned a document's pairs by heart, made in a second or two."""

from __future__ import annotations

from pathlib import Path

from dlm.base_models import resolve
from dlm.base_models.folder import fingerprint
from dlm.data.chat import Codec
from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.engine.loading import LoraSettings, save_adapter
from dlm.engine.model import Model
from dlm.hardware import detect, plan_answers
from dlm.store.records import RunRecord, now
from dlm.store.store import Store

_IGNORED = -100


def write_version(document: Document, *, steps: int) -> str:
    """Train a small adapter on the pairs for so many steps, all in one batch, and commit it."""
    base = resolve("pocket")
    folder = Path(base.hf_id)
    settings = LoraSettings(16, 32, 0.0, "all-linear", 0)
    model = Model.load(folder, plan_answers(detect(), base), new_adapter=settings)
    _fit(model, document, folder, steps)
    at = now()
    with Store.open(document.frontmatter.dlm_id) as store, store.new_version() as staging:
        save_adapter(model.network, staging.path, base_id="pocket")
        mark = fingerprint(folder)
        run = RunRecord(
            f"run-{steps}", at, at, "pocket", mark, document.sha256, "notes.dlm", "fresh"
        )
        return staging.commit(run, ()).name


def _fit(model: Model, document: Document, folder: Path, steps: int) -> None:
    torch, codec = model.torch, Codec.load(folder)
    rows = [
        codec.reply([{"role": "user", "content": pair.question or ""}], pair.text)
        for pair in lessons_of(document).pairs
    ]
    width = max(len(row.ids) for row in rows)
    pads = [width - len(row.ids) for row in rows]
    ids = torch.tensor(
        [row.ids + [codec.pad_id] * pad for row, pad in zip(rows, pads, strict=True)]
    )
    labels = torch.tensor(
        [
            [i if said else _IGNORED for i, said in zip(row.ids, row.supervised, strict=True)]
            + [_IGNORED] * pad
            for row, pad in zip(rows, pads, strict=True)
        ]
    )
    mask = torch.tensor([[1] * (width - pad) + [0] * pad for pad in pads])
    weights = [weight for weight in model.network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=2e-3)
    for _ in range(steps):
        model.network(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
