"""The base that a document names: where a relative folder lies, and what its settings ask of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_kit import write_model

from dlm.base_models.folder import linear_layers
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import base_of, check_targets, resolve
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.errors import BaseModelError, DocumentError

POCKET = local_folder(resolve("pocket"))


def document(base: str, at: Path, training: str = "") -> Document:
    front = f"---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\nbase_model: {base}\n{training}---\n"
    return parse_text(front, path=at)


@pytest.mark.parametrize("name", ["./model", "model", "../notes/model"])
def test_a_relative_folder_lies_beside_the_document(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "notes" / "model")
    monkeypatch.chdir(tmp_path)
    for path in (Path("notes", "a.dlm"), tmp_path / "notes" / "a.dlm"):
        base = base_of(document(name, path))
        assert (base.key, base.folder) == (name, folder)
    with pytest.raises(BaseModelError):
        base_of(document(name, tmp_path / "a.dlm"))


@pytest.mark.parametrize("name", ["pocet", "./gone", "hf:nothing"])
def test_a_base_that_is_none_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"a\.dlm:3:13: .") as caught:
        base_of(document(name, tmp_path / "a.dlm"))
    assert caught.value.hint


def test_the_linear_layers_are_those_of_the_blocks() -> None:
    names = {layer.rpartition(".")[2] for layer in linear_layers(POCKET)}
    attention = {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert names == attention | {"gate_proj", "up_proj", "down_proj"}
    assert len(linear_layers(POCKET)) % len(names) == 0


@pytest.mark.parametrize("targets", ["auto", "[q_proj]", "[model.layers.0.mlp.up_proj, v_proj]"])
def test_modules_that_the_base_has_are_accepted(targets: str, tmp_path: Path) -> None:
    text = f"training:\n  target_modules: {targets}\n"
    check_targets(document("pocket", tmp_path / "a.dlm", text), POCKET)


@pytest.mark.parametrize("wrong", ["c_attn", "proj", "all-linear", "embed_tokens", "q_proj.lora"])
def test_a_module_that_the_base_lacks_is_named_with_its_line(wrong: str, tmp_path: Path) -> None:
    text = f"training:\n  target_modules:\n    - q_proj\n    - {wrong}\n"
    with pytest.raises(DocumentError, match=f"a.dlm:7:7: pocket has no module '{wrong}'") as caught:
        check_targets(document("pocket", tmp_path / "a.dlm", text), POCKET)
    assert "q_proj" in str(caught.value.hint)
