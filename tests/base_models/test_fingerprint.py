"""When two folders are the same base, and when they are not."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_kit import CONFIG, write_model

from dlm.base_models.folder import fingerprint
from dlm.errors import BaseModelError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def _config(folder: Path, **changes: object) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}, indent=3))


def _flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_place_and_time_do_not_matter(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "elsewhere")
    os.utime(copy / "model.safetensors", (0, 0))
    assert fingerprint(copy) == fingerprint(model)


def test_a_cache_of_links_is_the_same_model(model: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    for path in model.iterdir():
        (links / path.name).symlink_to(path)
    assert fingerprint(links) == fingerprint(model)


@pytest.mark.parametrize(
    "change",
    [
        {"transformers_version": "9.9"},
        {"_name_or_path": "/somewhere"},
        {"torch_dtype": "float16"},
        {"dtype": "bfloat16"},
        {"text_config": {"dtype": "float16"}},
    ],
)
def test_who_saved_the_config_and_how_does_not_matter(
    model: Path, change: dict[str, object]
) -> None:
    plain = {"text_config": {}} if "text_config" in change else {}
    _config(model, **plain)
    before = fingerprint(model)
    _config(model, **change)
    assert fingerprint(model) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: _config(folder, hidden_size=9),
        lambda folder: _config(folder, rope_scaling={"factor": 2.0}),
        lambda folder: (folder / "tokenizer.json").write_text('{"version": "1.1"}'),
        lambda folder: _flip(folder / "model.safetensors", -1 + 8 * 64),
        lambda folder: (folder / "model.safetensors").write_bytes(
            (folder / "model.safetensors").read_bytes() + b"\0"
        ),
    ],
    ids=["shape", "rope", "tokenizer", "one bit of the weights", "size"],
)
def test_another_model_has_another_fingerprint(
    model: Path, change: Callable[[Path], object]
) -> None:
    before = fingerprint(model)
    change(model)
    assert fingerprint(model) != before


def test_files_that_are_not_the_model_do_not_matter(model: Path) -> None:
    before = fingerprint(model)
    (model / "README.md").write_text("a card")
    shutil.copy(model / "model.safetensors", model / "adapter_model.safetensors")
    shutil.copy(model / "model.safetensors", model / "consolidated.safetensors")
    assert fingerprint(model) == before


def test_every_shard_counts_under_its_name(model: Path) -> None:
    shutil.copy(model / "model.safetensors", model / "model-2.safetensors")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    single = fingerprint(model)
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    both = fingerprint(model)
    _flip(model / "model-2.safetensors", 600)
    assert len({single, both, fingerprint(model)}) == 3


def test_large_weights_are_sampled_over_their_whole_length(model: Path) -> None:
    weights = model / "model.safetensors"
    header = weights.read_bytes()[:200]
    size = 65 * 1024 * 1024
    with weights.open("wb") as file:
        file.write(header)
        file.truncate(size)
    seen = {fingerprint(model)}
    for offset in (size - 1, size // 2, 4096 * 2):
        # The first byte of the nearest of the 64 sampled blocks, which reach from end to end.
        spot = round((size - 4096) * round(offset / size * 63) / 63)
        _flip(weights, spot)
        seen.add(fingerprint(model))
    assert len(seen) == 4


def test_the_embedded_base_takes_less_than_a_blink(pocket_folder: Path) -> None:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        fingerprint(pocket_folder)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.15  # the least, as the machine may be busy


def test_a_folder_without_weights_has_no_fingerprint(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match=r"no model\.safetensors"):
        fingerprint(model)
