"""The script of `dlm completion` in a real shell, and `python -m dlm`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm

ASK = """
source <(dlm completion bash)
COMP_WORDS=({words}) COMP_CWORD={at}
COMPREPLY=()
_dlm_completion dlm
echo "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def command(tmp_path: Path) -> dict[str, str]:
    warm.write_command(tmp_path)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("words", "at", "completed"),
    [
        ("dlm tra", 1, {"train"}),
        ("dlm preference im", 2, {"import"}),
        ("dlm train --watch-d", 2, {"--watch-debounce-ms"}),
        ("dlm replay ''", 2, {"list", "stats", "prune"}),
        ("dlm show note", 2, {""}),  # bash itself then completes names of files
    ],
)
def test_bash_completes_commands_and_options(
    command: dict[str, str], words: str, at: int, completed: set[str]
) -> None:
    done = subprocess.run(
        ["bash", "-c", ASK.format(words=words, at=at)],
        env=command,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.rstrip("\n").split(" ")) == completed
    assert done.stderr == ""


def test_every_shell_gets_its_own_script() -> None:
    scripts = {shell: warm.run("completion", shell).stdout for shell in ("bash", "zsh", "fish")}
    assert scripts["zsh"].startswith("#compdef dlm")
    assert "complete --command dlm" in scripts["fish"]
    assert len(set(scripts.values())) == 3
    other = warm.run("completion", "tcsh")
    assert other.returncode == 2
    assert "bash, zsh or fish" in other.stderr


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["nosuch"], ["show", "nosuch.dlm"]])
def test_python_m_dlm_is_the_command_line(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dlm", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    same = warm.run(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        same.returncode,
        same.stdout,
        same.stderr,
    )
