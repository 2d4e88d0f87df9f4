"""Packs with their base: it goes where its name is looked for, and only if it is the right one."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from boats import DLM_ID, TEXT, add_version, quiet

from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import cached_snapshot
from dlm.doc.document import parse_file
from dlm.errors import DlmError
from dlm.pack.layout import BASE
from dlm.pack.unpacking import unpack
from dlm.pack.writing import pack
from dlm.store.store import Store
from dlm.tensors import write_tensors

HUB_ID = "harrow/boat-1b"


def write_base(folder: Path) -> None:
    folder.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 8}
    for name, content in (("config.json", config), ("tokenizer.json", {})):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "modeling.py").write_text("raise SystemExit", encoding="utf-8")
    (folder / "LICENSE").write_text("Do as you like.", encoding="utf-8")
    write_tensors(folder / "model.safetensors", {"w": (2,)}, "F32", lambda name: bytes(8))


def packed_on(base: str, folder: Path, tmp_path: Path) -> Path:
    """A pack with its base."""
    path = tmp_path / "boat.dlm"
    path.write_text(TEXT.replace("base_model: pocket", f"base_model: {base}"), encoding="utf-8")
    with Store.open(DLM_ID, base_model=base) as store:
        add_version(store, 1, base_fingerprint=fingerprint(folder))
    pack(parse_file(path), tmp_path / "boat.dlmpack", quiet, with_base=True)
    return tmp_path / "boat.dlmpack"


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A pack of a document whose base is a folder beside it."""
    write_base(tmp_path / "models" / "boat")
    return packed_on("./models/boat", tmp_path / "models" / "boat", tmp_path)


def test_a_base_in_a_folder_comes_beside_the_document(
    beside: Path, elsewhere: Path, tmp_path: Path
) -> None:
    done = unpack(beside, elsewhere / "notes", quiet)
    folder = elsewhere / "notes" / "models" / "boat"
    assert done.base == folder
    assert fingerprint(folder) == fingerprint(tmp_path / "models" / "boat")
    names = {one.name for one in folder.iterdir()}
    assert names == {"config.json", "tokenizer.json", "model.safetensors", "LICENSE"}


def test_a_folder_that_is_there_is_left_as_it_is(beside: Path, elsewhere: Path) -> None:
    mine = elsewhere / "notes" / "models" / "boat" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    said: list[str] = []
    assert unpack(beside, elsewhere / "notes", said.append).base is None
    assert [one.name for one in mine.parent.iterdir()] == ["mine.txt"]
    assert "is there already and was left as it is" in said[0]


def test_a_base_outside_the_folder_of_the_document_never_gets_there(
    elsewhere: Path, tmp_path: Path
) -> None:
    write_base(tmp_path / "outside")
    packed = packed_on(str(tmp_path / "outside"), tmp_path / "outside", tmp_path)
    shutil.rmtree(tmp_path / "outside")
    said: list[str] = []
    done = unpack(packed, elsewhere / "notes", said.append)
    assert done.base == elsewhere / "notes" / "boat-base"
    assert not (tmp_path / "outside").exists()
    assert "write base_model: ./boat-base" in said[0]


def test_a_base_of_the_hub_comes_into_its_cache(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "here"))
    snapshot = tmp_path / "here" / "models--harrow--boat-1b" / "snapshots" / "main"
    write_base(snapshot)
    packed = packed_on(f"hf:{HUB_ID}", snapshot, tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "there"))
    done = unpack(packed, elsewhere / "notes", quiet)
    assert done.base is not None
    assert cached_snapshot(HUB_ID, "main") == done.base
    assert fingerprint(done.base) == fingerprint(snapshot)


def test_another_base_than_that_of_the_versions_is_refused(beside: Path, elsewhere: Path) -> None:
    with zipfile.ZipFile(beside) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(parts["manifest.json"])
    parts[f"{BASE}config.json"] = other = b'{"name": "another"}'
    digest = hashlib.sha256(other).hexdigest()
    manifest["members"][f"{BASE}config.json"] = {"size": len(other), "sha256": digest}
    parts["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(beside, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(DlmError, match="its base is not the one that its versions"):
        unpack(beside, elsewhere / "notes", quiet)
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []
