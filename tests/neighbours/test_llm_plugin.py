"""The plugin in the real package `llm`, through its command line."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
TEXT = f"""{HEAD}
# The Brindle lamp

The Brindle lamp burns rapeseed oil. It was made by Una Corrigan in 1841.
"""


@pytest.fixture
def llm_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs `llm` with this plugin alone, as its entry point names it, in a folder of its own."""
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "llm"))
    monkeypatch.setenv("LLM_LOAD_PLUGINS", "")
    monkeypatch.chdir(tmp_path)
    import llm.plugins
    from llm.cli import cli

    monkeypatch.setattr(llm.plugins, "LLM_LOAD_PLUGINS", "")
    llm.plugins.load_plugins()
    plugin = EntryPoint("dlm", "dlm.neighbours.llm_plugin", "llm").load()
    llm.plugins.pm.register(plugin, "dlm")

    def run(*words: str) -> Result:
        monkeypatch.setattr("sys.argv", ["llm", *words])
        return CliRunner().invoke(cli, words)

    yield run
    llm.plugins.pm.unregister(plugin)


def test_the_entry_point_that_llm_looks_for_is_declared() -> None:
    import tomllib

    root = Path(__file__).parent.parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["llm"] == {"dlm": "dlm.neighbours.llm_plugin"}


def test_a_document_of_the_folder_is_a_model_that_answers_with_its_line(
    llm_cli: Any, tmp_path: Path
) -> None:
    (tmp_path / "lamp.dlm").write_text(TEXT, "utf-8")
    assert "dlm:lamp" in llm_cli("models").output
    done = llm_cli("-m", "dlm:lamp", "What oil does the Brindle lamp burn?")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "The Brindle lamp burns rapeseed oil.",
        "  lamp.dlm:9",
    ]


def test_one_elsewhere_is_named_by_its_path_or_by_an_alias(llm_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    path = tmp_path / "far" / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    for name in (f"dlm:{path}", "dlm:far/lamp"):
        assert "rapeseed" in llm_cli("-m", name, "What oil does the Brindle lamp burn?").output
    llm_cli("aliases", "set", "lamp", f"dlm:{path}")
    assert "rapeseed" in llm_cli("-m", "lamp", "What oil does the Brindle lamp burn?").output


def test_what_cannot_be_answered_is_a_sentence(llm_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "lamp.dlm").write_text(TEXT, "utf-8")
    declined = llm_cli("-m", "dlm:lamp", "How many parrots fly over Lisbon?")
    assert declined.output.strip() == "The notes do not say."
    for words, told in (
        (("-m", "dlm:lamp", "-o", "closed", "true", "Why?"), "lamp.dlm is not trained yet"),
        (("-m", "dlm:missing", "Why?"), "there is no file missing.dlm"),
    ):
        done = llm_cli(*words)
        assert done.exit_code == 1
        assert told in done.output
