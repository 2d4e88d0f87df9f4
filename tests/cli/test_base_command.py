"""`dlm base`, the base of a new document, and the line that `dlm init` prints about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlm.base_models import BASE_MODELS, base_of, resolve
from dlm.base_models.locate import local_folder
from dlm.cli.base import default_base, describe, suited
from dlm.doc.parser import parse_file
from dlm.errors import BaseModelError
from dlm.hardware import Gpu, Machine

TWO_CORES = Machine(cores=2, memory_gb=8, available_gb=6)
WORKSTATION = Machine(16, 64, 50, (Gpu("RTX 4090", 25.7, 24.5, (8, 9)),))


def test_pocket_is_said_to_be_for_trying_and_something_larger_is_named() -> None:
    line = describe(resolve("pocket"), TWO_CORES)
    assert "rewordings mostly fail" in line
    assert "base_model: smollm2-135m-q4 (0.27 GB) suits this machine (2 cores, 8 GB)" in line
    assert "\n" not in line


def test_a_gpu_is_given_a_larger_base_than_two_cores() -> None:
    small, large = suited(TWO_CORES), suited(WORKSTATION)
    assert small is not None
    assert large is not None
    assert large.params > 10 * small.params


def test_what_is_recommended_can_be_had_without_asking_anybody() -> None:
    for machine in (TWO_CORES, WORKSTATION, Machine(8, 17, 9, (), mps=True)):
        base = suited(machine)
        assert base is not None
        assert not base.requires_acceptance
        assert base.license_spdx in {"Apache-2.0", "MIT"}


def test_a_large_base_on_a_small_machine_hears_of_a_quicker_one() -> None:
    assert "quicker to train" in describe(resolve("qwen2.5-1.5b"), TWO_CORES)
    assert "quicker" not in describe(resolve("qwen2.5-1.5b"), WORKSTATION)


def test_where_only_pocket_fits_nothing_else_is_promised() -> None:
    tiny = Machine(cores=1, memory_gb=1.5, available_gb=1.4)
    assert suited(tiny) is None
    assert "for real use" not in describe(resolve("pocket"), tiny)


@pytest.mark.parametrize("key", [*BASE_MODELS, "hf:org/unknown"])
def test_every_base_has_a_line(key: str) -> None:
    assert describe(resolve(key), TWO_CORES).startswith(key)


def dlm(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlm.cli.app", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_list_says_of_every_base_where_it_is_or_how_to_get_it(tmp_path: Path) -> None:
    rows = json.loads(dlm("base", "list", "--json", cwd=tmp_path, HF_HUB_CACHE=".").stdout)
    assert [row["name"] for row in rows] == list(BASE_MODELS)
    by_name = {row["name"]: row for row in rows}
    assert by_name["pocket"]["here"] == BASE_MODELS["pocket"].hf_id
    assert by_name["qwen2.5-0.5b"]["here"] is None
    assert by_name["qwen2.5-0.5b"]["pull"] == "dlm base pull qwen2.5-0.5b"
    printed = dlm("base", "list", cwd=tmp_path, HF_HUB_CACHE=".").stdout
    bases, encoder = printed.split("\n\n")
    assert "all-minilm-l6-v2" in encoder
    lines = bases.splitlines()
    assert len(lines) == len(BASE_MODELS)
    (line,) = [line for line in lines if line.startswith("llama-3.2-1b ")]
    for fact in ("1,236M", "LicenseRef-Llama-3.2-Community", "pull llama-3.2-1b (2.47 GB)"):
        assert fact in line


def test_pulling_what_is_here_already_changes_nothing(tmp_path: Path) -> None:
    done = dlm("base", "pull", "pocket", cwd=tmp_path)
    assert done.stdout == f"pocket is already in {BASE_MODELS['pocket'].hf_id}\n"
    assert done.stderr == ""


def test_pulling_offline_is_one_sentence_and_a_way_on(tmp_path: Path) -> None:
    done = dlm("base", "pull", "smollm2-360m", cwd=tmp_path, HF_HUB_CACHE=".", HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: smollm2-360m (0.72 GB) is not on this machine, and HF_")
    assert done.stderr.count("\n") == 2


def test_whoever_names_the_model_of_the_hub_hears_of_the_one_in_four_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BaseModelError) as caught:
        local_folder(resolve("smollm2-135m"))
    assert "smollm2-135m-q4" in str(caught.value.hint)
    with pytest.raises(BaseModelError) as caught:
        local_folder(resolve("smollm2-360m"))
    assert "q4" not in str(caught.value.hint)


def test_a_new_document_takes_the_real_base_where_it_is_and_pocket_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bases" / "smollm2-135m-q4"
    shutil.copytree(BASE_MODELS["pocket"].hf_id, folder)
    (folder / "made.json").write_text('{"recipe": 1}', encoding="utf-8")
    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    assert default_base() == "smollm2-135m-q4"
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert default_base() == "pocket"


def test_a_relative_base_counts_from_the_document_wherever_dlm_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(BASE_MODELS["pocket"].hf_id, tmp_path / "models" / "mine")
    (tmp_path / "notes").mkdir()
    done = dlm("init", "notes/a.dlm", "--base", "models/mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = parse_file(tmp_path / "notes" / "a.dlm")
    assert document.frontmatter.base_model == "../models/mine"
    monkeypatch.chdir("/")
    assert base_of(document).folder == tmp_path / "models" / "mine"
    shutil.rmtree(tmp_path / "models")
    with pytest.raises(BaseModelError, match="there is no folder") as caught:
        base_of(document)
    assert "counts from the document" in str(caught.value.hint)
