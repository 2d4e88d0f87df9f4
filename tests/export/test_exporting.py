"""Every form of export answers as the version in the store does; one that does not is caught."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from exports import DLM_ID, PAIRS, commit, document_text

from dlm.cli import export as command
from dlm.errors import CorruptStore, DlmError, StoreError, UsageError
from dlm.export.folder import read_manifest
from dlm.store.paths import for_dlm


def export(path: Path, target: str | None, **choices: Any) -> None:
    command.export(str(path), target, **choices)


SLOW = pytest.mark.slow
FORMS = ["peft", "merged", "gguf", "gguf-adapter", "ollama", pytest.param("vllm", marks=SLOW)]


@pytest.mark.parametrize("target", FORMS)
def test_every_form_answers_as_the_version_does(
    target: str, harrow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(harrow, target, check=True, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["checked"]["same"]
    programs = {one["runner"] for one in told["checked"]["verdicts"]}
    both = {"transformers", "llama.cpp"}
    expected = {"gguf": both, "ollama": both, "gguf-adapter": {"llama.cpp"}}
    assert programs == expected.get(target, {"transformers"})
    for verdict in told["checked"]["verdicts"]:
        assert (verdict["asked"], verdict["same"]) == (3, 3)
    place = harrow.with_name(f"harrow-{target}")
    manifest = read_manifest(place)
    assert manifest is not None
    assert (manifest["version"], manifest["dlm_id"]) == ("v0001", DLM_ID)
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((place / name).read_bytes()).hexdigest() == digest
    found = {one.relative_to(place).as_posix() for one in place.rglob("*") if one.is_file()}
    assert found == {*manifest["files"], "manifest.json"}
    assert {one.name for one in harrow.parent.iterdir()} == {"harrow.dlm", place.name}


def test_what_the_store_answers_is_what_was_learned(harrow: Path) -> None:
    from dlm.doc.parser import parse_file
    from dlm.export.check.questions import ask_store
    from dlm.export.source import open_source

    with open_source(parse_file(harrow), None, print) as source:
        sheet = ask_store(source)
    assert [one.answer for one in sheet.asked] == [answer for _, answer in PAIRS]
    assert sheet.what == "probes"


def break_template(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("<|im_end|>", "<|endoftext|>"), encoding="utf-8")


def break_gguf(path: Path) -> None:
    """Another template of the same length."""
    data = path.read_bytes()
    at = data.index(b"tokenizer.chat_template")
    changed = data[at:].replace(b"'<|im_start|>assistant\\n'", b"'<|im_start|>Assistant\\n'", 2)
    assert changed != data[at:]
    path.write_bytes(data[:at] + changed)


@pytest.mark.parametrize(
    ("target", "file", "damage"),
    [
        pytest.param("peft", "chat_template.jinja", break_template, marks=SLOW),
        ("merged", "chat_template.jinja", break_template),
        pytest.param("gguf-adapter", "chat_template.jinja", break_template, marks=SLOW),
        ("gguf", "harrow.gguf", break_gguf),
        pytest.param("ollama", "Modelfile", break_template, marks=SLOW),
    ],
)
def test_a_wrong_template_is_caught(
    target: str, file: str, damage: Any, harrow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(harrow, target)
    place = harrow.with_name(f"harrow-{target}")
    damage(place / file)
    with pytest.raises(DlmError, match="does not answer as the store's version does"):
        export(harrow, None, out=str(place), check=True)
    said = capsys.readouterr().err
    assert "the template of the export asks it otherwise" in said
    assert "Who guards the archive?" in said
    assert "Old Marten guards it." in said


@pytest.mark.slow
def test_other_weights_are_caught(harrow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The base alone, in place of the merged model."""
    export(harrow, "merged")
    place = harrow.with_name("harrow-merged")
    from dlm.base_models import resolve

    base = resolve("pocket").folder
    assert base is not None
    for name in ("model.safetensors", "config.json"):
        (place / name).write_bytes((base / name).read_bytes())
    with pytest.raises(DlmError, match="does not answer"):
        export(harrow, None, out=str(place), check=True)
    assert "asks it otherwise" not in capsys.readouterr().err


def test_an_export_that_fails_its_check_is_not_written(
    harrow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dlm.export.gguf.model.chat_template", lambda *a: "{{ messages[0]['content'] }}"
    )
    with pytest.raises(DlmError, match="does not answer"):
        export(harrow, "gguf-adapter", check=True)
    assert [one.name for one in harrow.parent.iterdir()] == ["harrow.dlm"]


@pytest.mark.parametrize("target", ["gguf-adapter", pytest.param("ollama", marks=SLOW)])
def test_the_system_prompt_goes_along(
    target: str, tmp_path: Path, learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "harrow.dlm"
    path.write_text(document_text(system="'Say \"sir\", {{ always }}.'"), encoding="utf-8")
    commit(DLM_ID, learned, "pocket")
    export(path, target, check=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["checked"]["same"]
    if target == "ollama":
        modelfile = (tmp_path / "harrow-ollama" / "Modelfile").read_text(encoding="utf-8")
        assert 'SYSTEM """Say "sir", {{ always }}."""' in modelfile


def test_without_probes_the_first_pairs_are_asked(
    tmp_path: Path, learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "harrow.dlm"
    path.write_text(document_text(probes=False), encoding="utf-8")
    commit(DLM_ID, learned, "pocket")
    export(path, "gguf-adapter", check=True)
    assert "3 trained pairs (the first 3 pairs, as no question is marked !probe)" in (
        capsys.readouterr().err
    )


def test_an_earlier_export_is_replaced_as_a_whole(harrow: Path) -> None:
    place = harrow.with_name("out")
    export(harrow, "merged", out=str(place))
    export(harrow, "peft", out=str(place))
    assert not (place / "model.safetensors").exists()
    assert (place / "adapter_model.safetensors").exists()
    assert sorted(one.name for one in harrow.parent.iterdir()) == ["harrow.dlm", "out"]


def test_a_folder_of_the_owners_is_left_alone(harrow: Path) -> None:
    place = harrow.with_name("mine")
    place.mkdir()
    (place / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DlmError, match="is no export of dlm; nothing was written"):
        export(harrow, "peft", out=str(place))
    assert [one.name for one in place.iterdir()] == ["manifest.json"]
    with pytest.raises(DlmError, match="is a file"):
        export(harrow, "peft", out=str(harrow))


def test_a_document_without_a_version_gets_a_sentence_and_no_store(tmp_path: Path) -> None:
    path = tmp_path / "new.dlm"
    path.write_text(document_text(), encoding="utf-8")
    with pytest.raises(StoreError, match="not trained yet, so there is nothing to export"):
        export(path, "merged")
    assert not for_dlm(DLM_ID).root.exists()


def test_damaged_weights_are_not_exported(harrow: Path) -> None:
    weights = for_dlm(DLM_ID).versions / "v0001" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    with pytest.raises(CorruptStore, match="v0001 is damaged"):
        export(harrow, "merged")
    assert [one.name for one in harrow.parent.iterdir()] == ["harrow.dlm"]


def test_wrong_words_are_named(harrow: Path) -> None:
    with pytest.raises(UsageError, match="--target is missing"):
        export(harrow, None)
    with pytest.raises(UsageError, match="--target cannot be 'onnx'"):
        export(harrow, "onnx")
    with pytest.raises(UsageError, match="--precision cannot be 'q4'"):
        export(harrow, "gguf", precision="q4")
    with pytest.raises(StoreError, match="there is no version v9"):
        export(harrow, "gguf", version="v9")
