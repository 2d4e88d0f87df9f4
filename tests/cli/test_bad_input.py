"""Bad input through the real command line: one sentence with its place, a hint, exit 1."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
HEAD = f"---\ndlm_id: {ID}\ndlm_version: 15\nbase_model: pocket\n---\n"


def _dlm(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlm.cli.app", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


CASES = {
    "malformed frontmatter": (f"---\ndlm_id: [{ID}\nbase_model: pocket\n---\n", "bad.dlm:"),
    "unknown key": (f"---\ndlm_id: {ID}\nbase_model: pocket\ntrainning: 1\n---\n", "bad.dlm:4:1:"),
    "duplicate key": (
        f"---\ndlm_id: {ID}\nbase_model: pocket\nbase_model: x\n---\n",
        "bad.dlm:4:1:",
    ),
    "bad id": ("---\ndlm_id: nope\nbase_model: pocket\n---\n", "bad.dlm:2:9:"),
    "no frontmatter": ("just text\n", "bad.dlm:1:1:"),
    "unknown fence": (f"{HEAD}::instrution::\n### Q\na\n### A\nb\n", "bad.dlm:6:1:"),
    "answer before question": (f"{HEAD}::instruction::\n### A\nb\n### Q\na\n", "bad.dlm:7:1:"),
    "empty answer": (f"{HEAD}::instruction::\n### Q\na\n### A\n\n::\n", "bad.dlm:9:1:"),
    "nul byte": (f"{HEAD}a\0b\n", "bad.dlm:6:2:"),
    "newer version": (
        f"---\ndlm_id: {ID}\ndlm_version: 99\nbase_model: pocket\n---\n",
        "bad.dlm:3:14:",
    ),
    "empty file": ("", "bad.dlm:1:1:"),
}


@pytest.mark.parametrize(("text", "place"), CASES.values(), ids=CASES.keys())
def test_a_bad_document_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "bad.dlm"
    path.write_bytes(text.encode())
    done = _dlm("show", "bad.dlm", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {place}")
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == text.encode()


def test_suggestions_name_what_was_probably_meant(tmp_path: Path) -> None:
    for name, suggestion in (("unknown key", "training"), ("unknown fence", "::instruction::")):
        (tmp_path / "bad.dlm").write_text(CASES[name][0], "utf-8")
        assert f"did you mean '{suggestion}'" in _dlm("show", "bad.dlm", cwd=tmp_path).stderr


def test_bytes_that_are_not_utf8_are_placed(tmp_path: Path) -> None:
    (tmp_path / "bad.dlm").write_bytes(HEAD.encode() + b"caf\xe9\n")
    done = _dlm("show", "bad.dlm", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: bad.dlm:6:4: the byte 0xe9")


def test_an_image_section_is_refused_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "bad.dlm").write_text(f'{HEAD}::image path="a.png" alt="b"::\ncaption\n', "utf-8")
    done = _dlm("train", "bad.dlm", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: bad.dlm:6:1: an ::image:: section cannot train")


@pytest.mark.parametrize("command", ["show", "train", "prompt", "history", "doctor", "migrate"])
def test_a_folder_and_a_missing_file_are_named(tmp_path: Path, command: str) -> None:
    extra = ["What?"] if command == "prompt" else []
    for name in (".", "missing.dlm"):
        done = _dlm(command, name, *extra, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


def test_a_base_that_nobody_knows_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    text = HEAD.replace("pocket", "poket") + "\nSome prose.\n"
    (tmp_path / "bad.dlm").write_text(text, "utf-8")
    done = _dlm("train", "bad.dlm", cwd=tmp_path)
    assert done.returncode == 1
    assert "pocket" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_base_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    text = HEAD.replace("pocket", "smollm2-135m") + "\nSome prose.\n"
    (tmp_path / "far.dlm").write_text(text, "utf-8")
    done = _dlm("train", "far.dlm", cwd=tmp_path)
    assert done.returncode == 1
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_asking_an_untrained_document_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "new.dlm").write_text(f"{HEAD}\nSome prose.\n", "utf-8")
    done = _dlm("prompt", "new.dlm", "What?", "--closed", cwd=tmp_path)
    assert done.returncode == 1
    assert "not trained yet" in done.stderr
    assert "dlm train new.dlm" in done.stderr


def test_two_documents_in_a_folder_must_be_named(tmp_path: Path) -> None:
    for name in ("a.dlm", "b.dlm"):
        (tmp_path / name).write_text(HEAD, "utf-8")
    done = _dlm("show", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.dlm, b.dlm" in done.stderr


def test_an_unknown_option_is_wrong_use(tmp_path: Path) -> None:
    assert _dlm("show", "--nonsense", cwd=tmp_path).returncode == 2
