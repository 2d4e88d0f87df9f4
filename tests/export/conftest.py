"""A document whose pairs a small adapter of pocket really learned, with its store."""

from __future__ import annotations

from pathlib import Path

import pytest
from exports import DLM_ID, PAIRS, commit, document_text

from dlm.data.chat import Codec
from dlm.engine.loading import LoraSettings, save_adapter
from dlm.engine.model import Model
from dlm.hardware import Plan


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory, pocket_folder: Path) -> Path:
    """The folder of an adapter under which pocket answers the pairs."""
    folder = tmp_path_factory.mktemp("adapter")
    plan = Plan("cpu", "float32", 1, 1, False, 2, 0.0, ())
    settings = LoraSettings(8, 16, 0.0, "all-linear", seed=1)
    model = Model.load(pocket_folder, plan, new_adapter=settings)
    torch, codec = model.torch, Codec.load(pocket_folder)
    rows = [codec.pair(question, answer) for question, answer in PAIRS]
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [codec.pad_id] * (width - len(row.ids)) for row in rows])
    labels = torch.full_like(ids, -100)
    for at, row in enumerate(rows):
        for place, told in enumerate(row.supervised):
            labels[at, place] = row.ids[place] if told else -100
    weights = [one for one in model.network.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=5e-3, weight_decay=0.0)
    for _ in range(60):
        loss = model.network(input_ids=ids, labels=labels, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.01:
            break
    save_adapter(model.network, folder, base_id=str(pocket_folder))
    return folder


@pytest.fixture
def harrow(tmp_path: Path, learned: Path) -> Path:
    """The document, trained."""
    path = tmp_path / "harrow.dlm"
    path.write_text(document_text(), encoding="utf-8")
    commit(DLM_ID, learned, "pocket")
    return path
