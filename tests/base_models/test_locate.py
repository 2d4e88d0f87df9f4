"""Where the files of a base come from, with a real cache layout and a real HTTP client."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_kit import CONFIG, cache_model, hub, locate_online, write_model

from dlm.base_models import BASE_MODELS, resolve
from dlm.base_models.locate import commit_of, local_folder
from dlm.errors import BaseModelError

SMOL = BASE_MODELS["smollm2-135m"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_pocket_is_in_the_package_and_needs_no_network() -> None:
    folder = local_folder(resolve("pocket"), download=False)
    assert (folder / "model.safetensors").stat().st_size > 20_000_000
    assert folder == Path(resolve("pocket").hf_id)


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    assert local_folder(resolve(folder)) == folder
    assert commit_of(folder) is None


def test_the_pinned_commit_in_the_cache_is_preferred(cache: Path) -> None:
    cache_model(cache, SMOL.hf_id, commit="f" * 40)
    pinned = cache_model(cache, SMOL.hf_id, commit=SMOL.revision, branch="other")
    assert local_folder(SMOL) == pinned
    assert commit_of(pinned) == SMOL.revision


def test_a_cached_main_branch_serves_when_the_pinned_commit_is_not_there(cache: Path) -> None:
    present = cache_model(cache, SMOL.hf_id, commit="f" * 40)
    assert local_folder(SMOL) == present


def test_a_folder_of_model_files_can_be_a_cache_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    present = cache_model(tmp_path / "hub", SMOL.hf_id)
    assert local_folder(SMOL) == present


def test_offline_says_what_is_missing_how_large_it_is_and_how_to_get_it(cache: Path) -> None:
    with pytest.raises(BaseModelError) as caught:
        local_folder(SMOL)
    assert caught.value.message == (
        "smollm2-135m (0.27 GB) is not on this machine, and HF_HUB_OFFLINE is set"
    )
    assert f"hf download {SMOL.hf_id} --revision {SMOL.revision}" in str(caught.value.hint)
    assert "base_model: /path/to/it" in str(caught.value.hint)


def test_an_interrupted_download_is_not_a_model(cache: Path) -> None:
    (cache_model(cache, SMOL.hf_id) / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match="only partly in"):
        local_folder(SMOL)


def test_an_index_that_names_a_missing_shard_is_not_a_model(cache: Path) -> None:
    folder = cache_model(cache, SMOL.hf_id)
    (folder / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}', encoding="utf-8"
    )
    with pytest.raises(BaseModelError, match="only partly in"):
        local_folder(SMOL)


def test_downloads_can_be_switched_off_with_the_network_there(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(BaseModelError, match="downloads are switched off"):
        local_folder(SMOL, download=False)


def test_a_download_brings_the_model_and_leaves_pickles_and_readmes(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source")
    for name in ("pytorch_model.bin", "README.md", "modeling_tiny.py"):
        (source / name).write_text("not wanted", encoding="utf-8")
    with hub(source) as endpoint:
        folder, message, _ = locate_online("hf:org/tiny", tmp_path / "cache", endpoint)
    assert not message
    names = {path.name for path in Path(folder).iterdir()}
    assert names == {"config.json", "tokenizer.json", "model.safetensors"}
    assert (
        Path(folder, "model.safetensors").read_bytes()
        == (source / "model.safetensors").read_bytes()
    )


def test_what_was_downloaded_is_found_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(write_model(tmp_path / "source")) as endpoint:
        folder, _, _ = locate_online("hf:org/tiny", tmp_path / "cache", endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    base = resolve("hf:org/tiny")
    assert local_folder(base, download=False) == Path(folder)
    assert (base.layers, base.hidden_size) == (CONFIG["num_hidden_layers"], CONFIG["hidden_size"])


@pytest.mark.parametrize(
    ("status", "error", "sentence", "advice"),
    [
        (403, "GatedRepo", "accepted its licence", "`hf auth login`"),
        (404, "RepoNotFound", "the hub has no model org/tiny", "check the name"),
        (404, "RevisionNotFound", "has no revision", "hf download org/tiny"),
        (503, "", "cannot be downloaded", "check the network"),
    ],
)
def test_a_refusal_of_the_hub_is_one_sentence_with_a_way_on(
    tmp_path: Path, status: int, error: str, sentence: str, advice: str
) -> None:
    with hub(write_model(tmp_path / "source"), status=status, error=error) as endpoint:
        folder, message, hint = locate_online("hf:org/tiny", tmp_path / "cache", endpoint)
    assert folder == ""
    assert sentence in message
    assert advice in hint


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    _, message, hint = locate_online("smollm2-135m", tmp_path / "cache", "http://127.0.0.1:9")
    assert message.startswith("smollm2-135m cannot be downloaded: ")
    assert "what has arrived is kept" in hint


def test_a_repository_of_pickles_only_is_refused(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source")
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with hub(source) as endpoint:
        _, message, hint = locate_online("hf:org/tiny", tmp_path / "cache", endpoint)
    assert "has no model.safetensors" in message
    assert "only safetensors" in hint


def test_a_folder_that_lost_a_file_since_is_named(tmp_path: Path) -> None:
    base = resolve(write_model(tmp_path / "model"))
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(BaseModelError, match=r"has no tokenizer\.json"):
        local_folder(base)
