"""What each light command does to files and says, through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlm.cli.base import default_base
from dlm.doc.parser import parse_file

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
PAIR = "::instruction::\n### Q\nWhat colour is it?\n\n### A\nIt is teal.\n::\n"


def dlm(*arguments: str, cwd: Path, ok: bool = True, stdin: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dlm.cli.app", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


def test_help_and_version_import_nothing_heavy() -> None:
    heavy = "('torch', 'transformers', 'numpy', 'pydantic', 'rich', 'ruamel')"
    for option in ("--help", "--version", "show --help", "synth instructions --help", "base -h"):
        probe = (
            "import sys, atexit; from dlm.cli.app import main; "
            f"sys.argv = ['dlm', *'{option}'.split()]; "
            f"atexit.register(lambda: print([m for m in {heavy} if m in sys.modules])); main()"
        )
        printed = subprocess.run(
            [sys.executable, "-c", probe], capture_output=True, text=True, check=True
        ).stdout
        assert printed.strip().endswith("[]"), option


@pytest.mark.parametrize("words", ["", "show", "synth", "synth instructions", "improve history"])
def test_the_help_is_what_typer_itself_would_print(words: str) -> None:
    probe = (
        "import sys; from dlm.cli.commands import command_line; "
        f"sys.argv = ['dlm', *'{words}'.split(), '--help']; command_line()(prog_name='dlm')"
    )
    printed = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout
    assert dlm(*words.split(), "--help", cwd=Path()) == printed


def test_the_help_says_every_command_in_one_whole_line() -> None:
    commands = dlm("--help", cwd=Path()).partition("Commands:")[2].strip().splitlines()
    assert len(commands) > 10
    assert not [line for line in commands if line.endswith("...")]


def test_init_writes_a_document_that_parses_and_has_its_own_id(tmp_path: Path) -> None:
    dlm("init", "one.dlm", cwd=tmp_path)
    dlm("init", "two", cwd=tmp_path)
    one, two = parse_file(tmp_path / "one.dlm"), parse_file(tmp_path / "two.dlm")
    assert one.frontmatter.dlm_id != two.frontmatter.dlm_id
    assert one.frontmatter.base_model == default_base()
    assert list(one.pairs())
    assert one.warnings == ()


def test_init_refuses_to_replace_a_file_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "mine.dlm"
    path.write_text("precious", "utf-8")
    assert "exists already" in dlm("init", "mine.dlm", cwd=tmp_path, ok=False)
    assert path.read_text("utf-8") == "precious"
    dlm("init", "mine.dlm", "--force", cwd=tmp_path)
    assert parse_file(path).frontmatter.base_model == default_base()


def test_init_from_notes_keeps_every_line_as_prose(tmp_path: Path) -> None:
    notes = "# Notes\n\n::warning::\nMind the step.\n\n### A\n```\ncode\n```\n\n::\nend\n"
    (tmp_path / "notes.md").write_text(notes, "utf-8")
    dlm("init", "notes.dlm", "--from", "notes.md", cwd=tmp_path)
    document = parse_file(tmp_path / "notes.dlm")
    assert "\n".join(section.text for section in document.sections).strip() == notes.strip()
    assert {section.type.value for section in document.sections} == {"prose"}


def test_show_counts_what_the_document_holds(tmp_path: Path) -> None:
    text = (
        HEAD
        + "\nTwo words.\n\n"
        + PAIR
        + PAIR.replace("### Q", "### Q !exam").replace("it?", "that?")
    )
    (tmp_path / "a.dlm").write_text(text, "utf-8")
    facts = json.loads(dlm("show", "--json", cwd=tmp_path))
    assert (facts["pairs"], facts["exam"], facts["prose_words"], facts["trained"]) == (
        2,
        1,
        2,
        None,
    )
    assert [item["type"] for item in facts["sections"]] == ["prose", "instruction", "instruction"]
    assert "not trained yet" in dlm("show", cwd=tmp_path)


def test_show_does_not_create_a_store(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    dlm("show", cwd=tmp_path)
    assert not (Path(os.environ["DLM_HOME"]) / "store").exists()


def test_the_mask_marks_the_answer_and_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    printed = dlm("show", "--mask", cwd=tmp_path)
    assert "<|im_start|>assistant\n⟦It is teal.<|im_end|>⟧" in printed
    pieces = json.loads(dlm("show", "--mask", "--json", cwd=tmp_path))[0]["pieces"]
    assert [text for text, counted in pieces if counted] == ["It is teal.<|im_end|>"]


def test_history_of_an_untrained_document_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    assert "not trained yet" in dlm("history", cwd=tmp_path)
    assert json.loads(dlm("history", "--json", cwd=tmp_path))["versions"] == []
    assert "no earlier version" in dlm("rollback", cwd=tmp_path, ok=False)


def test_the_bare_base_answers_without_any_training(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    answer = json.loads(dlm("prompt", "a.dlm", "Hello!", "--base-only", "--json", cwd=tmp_path))
    assert answer["version"] is None
    assert answer["answer"]


def test_a_question_may_come_from_standard_input_and_the_path_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    named = dlm("prompt", "a.dlm", "Hello!", "--base-only", cwd=tmp_path)
    assert dlm("prompt", "--base-only", cwd=tmp_path, stdin="Hello!\n") == named
    assert dlm("prompt", "Hello!", "--base-only", cwd=tmp_path) == named


def test_sampling_depends_on_the_seed_only(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    ask = (
        "prompt",
        "a.dlm",
        "Tell me a story.",
        "--base-only",
        "--temp",
        "1.0",
        "--max-tokens",
        "24",
    )
    first = dlm(*ask, "--seed", "1", cwd=tmp_path)
    assert dlm(*ask, "--seed", "1", cwd=tmp_path) == first
    assert dlm(*ask, "--seed", "2", cwd=tmp_path) != first


def test_the_repl_answers_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.dlm").write_text(HEAD + PAIR, "utf-8")
    hello = dlm("prompt", "a.dlm", "Hello!", "--base-only", cwd=tmp_path)
    assert dlm("repl", "--base-only", cwd=tmp_path, stdin="Hello!\nHello!\n") == hello * 2


def test_migrate_raises_the_version_and_touches_nothing_else(tmp_path: Path) -> None:
    old = HEAD.replace("dlm_version: 15", "dlm_version: 14  # mine") + "\nProse.\r\n"
    path = tmp_path / "a.dlm"
    path.write_bytes(old.encode())
    dlm("migrate", "--dry-run", cwd=tmp_path)
    assert path.read_bytes() == old.encode()
    dlm("migrate", cwd=tmp_path)
    assert path.read_bytes() == old.replace("dlm_version: 14", "dlm_version: 15").encode()
    assert "up to date" in dlm("migrate", cwd=tmp_path)


@pytest.mark.parametrize("command", ["doctor"])
def test_doctor_reports_machine_base_and_plan(tmp_path: Path, command: str) -> None:
    facts = json.loads(dlm(command, "--json", cwd=tmp_path))
    assert facts["machine"]["cores"] >= 1
    assert facts["machine"]["launch"]["processes"] == 1
    assert facts["base"]["key"] == default_base()
    assert facts["plan"]["device"] in ("cpu", "cuda", "mps")


OBSIDIAN = """\
---
tags: [boats]
---

# Ferry hut

The hut stands at [[Pell Quay]]. %%ask Ada%%
<!-- TODO: remove
the old number -->

### Q
rating:: 5 ^bell
"""


def test_init_says_what_of_a_note_it_leaves_out_and_escapes(tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text(OBSIDIAN.replace("\n", "\r\n"), "utf-8-sig")
    done = subprocess.run(
        [sys.executable, "-m", "dlm", "init", "new.dlm", "--from", "note.md"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    left, escaped, *_ = done.stderr.splitlines()
    assert left.endswith("its frontmatter (lines 1-3) and 2 comments (lines 7, 8-9)")
    assert escaped.endswith("a line that a document would act on, such as '### Q'")
    (section,) = parse_file(tmp_path / "new.dlm").sections
    assert section.text.strip() == (
        "# Ferry hut\n\nThe hut stands at [[Pell Quay]].\n\n### Q\nrating:: 5 ^bell"
    )


def test_init_takes_the_body_of_a_document_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old.dlm").write_text(HEAD + "\nText. <!-- kept -->\n\n" + PAIR, "utf-8")
    dlm("init", "new.dlm", "--from", "old.dlm", cwd=tmp_path)
    old, new = parse_file(tmp_path / "old.dlm"), parse_file(tmp_path / "new.dlm")
    assert old.frontmatter.dlm_id != new.frontmatter.dlm_id
    assert new.text.endswith("Text. <!-- kept -->\n\n" + PAIR)


def test_init_reads_the_text_of_windows(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes("Größe: 7\r\n".encode("utf-16"))
    dlm("init", "new.dlm", "--from", "note.txt", cwd=tmp_path)
    assert parse_file(tmp_path / "new.dlm").sections[0].text.strip() == "Größe: 7"


def test_a_module_that_the_base_lacks_is_refused_with_its_place(tmp_path: Path) -> None:
    settings = "training:\n  target_modules: [q_proj, c_attn]\n---\n"
    (tmp_path / "a.dlm").write_text(HEAD[: -len("---\n")] + settings + PAIR)
    said = dlm("train", "--plan", cwd=tmp_path, ok=False)
    assert "a.dlm:6:28: pocket has no module 'c_attn' to train" in said
    assert "q_proj" in said.partition("hint:")[2]


def test_a_process_that_loaded_torch_ends_without_a_word() -> None:
    code = (
        "import sys, torch._dynamo; sys.argv = ['dlm', '--version']; from dlm.cli.app import main"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; main()"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
