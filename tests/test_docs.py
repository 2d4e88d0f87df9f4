"""The documentation is executed, and the pages of the commands say what the command line says.

In `console` blocks, lines that begin with `$ ` run in a fresh folder per page; the lines after them
must appear in what is printed, in that order, `…` standing for anything. A block with a title is
a file of that name there.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import warm

from dlm.cli.commands import command_line
from dlm.doc.parser import parse_text

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(`{3,})(\w+)[^\n]*\n(.*?)^\1$", re.S | re.M)
TITLED = re.compile(r'^```\w+ title="([\w.]+)"\n(.*?)^```$', re.S | re.M)
HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"


def _blocks(page: Path, kind: str) -> list[str]:
    return [text for _, found, text in BLOCK.findall(page.read_text("utf-8")) if found == kind]


def _commands(text: str) -> list[tuple[str, list[str]]]:
    commands: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.strip() and commands:
            commands[-1][1].append(line.strip())
    return commands


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _blocks(page, "console")], ids=lambda page: page.name
)
def test_console_examples_print_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    (tmp_path / "bin").mkdir()
    warm.write_command(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name, text in TITLED.findall(page.read_text("utf-8")):
        (tmp_path / name).write_text(text, "utf-8")
    for command, expected in (
        item for text in _blocks(page, "console") for item in _commands(text)
    ):
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        printed = done.stdout + done.stderr
        for line in expected:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(pattern, printed), f"{command}\n{printed}\nlacks: {line}"
        assert "Traceback" not in printed


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _blocks(page, "dlm")], ids=lambda p: p.name
)
def test_document_examples_parse(page: Path) -> None:
    for text in _blocks(page, "dlm"):
        parse_text(text if text.startswith("---") else HEAD + text)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_files_that_a_guide_names_are_there(page: str) -> None:
    named = set(re.findall(r"`([\w./-]+(?:\.py|/))`", (ROOT / page).read_text("utf-8")))
    named = {name for name in named if "NAME" not in name}
    assert len(named) > 8
    missing = [n for n in named if not ((ROOT / n).exists() or (ROOT / "src/dlm" / n).exists())]
    assert [name for name in missing if not (ROOT / "src/dlm/loops/reports" / name).exists()] == []


def test_the_pages_of_the_commands_say_what_the_command_line_says() -> None:
    spec = importlib.util.spec_from_file_location("pages", ROOT / "scripts" / "command_pages.py")
    assert spec is not None
    assert spec.loader is not None
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    assert pages.stale_pages() == [], "run scripts/command_pages.py and look at the difference"
    assert len(pages.pages()) > 25
    assert "`--watch-debounce-ms N` | `200` |" in (ROOT / "docs/commands/train.md").read_text(
        "utf-8"
    )


def _told_in_the_source() -> str:
    """All of the source, with the parts of each sentence joined and its values as `…`."""
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\{[^{}\n]*\}", "…", joined)


def test_every_message_of_the_troubleshooting_page_is_one_of_the_program() -> None:
    said = _told_in_the_source()
    lines = "\n".join(_blocks(ROOT / "docs" / "troubleshooting.md", "text")).split("\n")
    messages = [line.partition(": ")[2] for line in lines if line.startswith(("error", "warning"))]
    assert len(messages) > 20
    for message in messages:
        parts = [part.strip() for part in message.split("…")]
        assert [part for part in parts if part and part not in said] == [], message


def _usages() -> list[tuple[Path, list[str]]]:
    return [
        (page, line.split("#")[0].split())
        for page in PAGES
        for text in _blocks(page, "sh")
        for line in text.split("\n")
        if re.match(r"(?:[A-Z_]+=\S+ )?dlm ", line)
    ]


def test_the_commands_of_every_example_have_their_options() -> None:
    group: Any = typer.main.get_command(command_line())
    assert len(_usages()) > 40
    for page, words in _usages():
        command = group
        rest = words[words.index("dlm") + 1 :]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        if getattr(command, "commands", None):
            known |= {name for one in command.commands["run"].params for name in one.opts}
        unknown = [w for w in rest if w.startswith("--") and w.partition("=")[0] not in known]
        assert unknown == [], f"{page.name}: {' '.join(words)}"


def test_the_weights_that_the_pages_name_are_those_of_the_program() -> None:
    from dlm.index import search, texts
    from dlm.loops.synth import filters, grounding

    asking = (ROOT / "docs" / "asking.md").read_text("utf-8")
    for told in (
        f"k1 {texts._K1}, b {texts._B}",
        f"{search._PROSE} passage, or of the answer + pair + {search._PAIR}",
        f"{search._KNOWN} mean best match of its words in the whole document < {search._ENOUGH[0]}",
        f"limit is {search._ENOUGH[1]}",
        f"small words count {search._LIGHT}",
    ):
        assert told in asking
    synth = (ROOT / "docs" / "synth.md").read_text("utf-8")
    for told in (
        f"at least {grounding._LEAST_COVERAGE:.0%}".replace("%", " %"),
        f"by {filters._LEAST_SUPPORT} nats a token",
        f"between {filters._EASIEST} and {filters._HARDEST}",
    ):
        assert told in synth
