"""Teachers that are programs: real scripts, real processes, real kills."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dlm.data.completion import Refused, Request
from dlm.errors import TeacherError
from dlm.loops.teachers.spec import CommandTeacher

ASKED = [Request("Be short.", f"question {i}", n=2, seed=i) for i in range(4)]
GOOD = """
import json, sys
asked = json.load(sys.stdin)
print(json.dumps({"completions": [f"re: {asked['prompt']} #{k}" for k in range(asked["n"])]}))
"""

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes a program and gives the command that runs it."""

    def write(text: str) -> str:
        path = tmp_path / "teach.py"
        path.write_text(text)
        return f"{sys.executable} {path}"

    return write


def complete(one: CommandTeacher, requests: Sequence[Request] = ASKED) -> dict[int, Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    one.complete(requests, found.__setitem__)
    return found


def reason(command: str, timeout: float = 30.0) -> str:
    """Why the first request was refused by a teacher that fails for good."""
    found: dict[int, Sequence[str]] = {}
    with pytest.raises(TeacherError, match="failed 3 times in a row"):
        CommandTeacher(command, timeout=timeout).complete(ASKED, found.__setitem__)
    first = found[0]
    assert isinstance(first, Refused)
    return first.reason


def test_it_is_told_the_request_and_nothing_else(script: Script, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    command = script(f"import sys; open({str(seen)!r}, 'w').write(sys.stdin.read())" + GOOD)
    text = '{"system": "S", "prompt": "P\\u00e9", "n": 3, "max_new_tokens": 9, '
    text += '"temperature": 0.5, "seed": 7}'
    with pytest.raises(TeacherError):
        complete(CommandTeacher(command), [Request("S", "Pé", 3, 9, 0.5, 1.0, 7)] * 3)
    assert seen.read_text() == text


def test_its_completions_come_back(script: Script) -> None:
    found = complete(CommandTeacher(script(GOOD), at_once=2))
    assert list(found[3]) == ["re: question 3 #0", "re: question 3 #1"]
    assert len(found) == 4


def test_more_than_was_asked_for_is_cut_and_reasoning_is_told_apart(script: Script) -> None:
    text = """print('{"completions": ["<think>hm</think>a", "b", "c"]}')"""
    first = complete(CommandTeacher(script(text)))[0]
    assert list(first) == ["a", "b"]
    assert getattr(first[0], "reasoning", None) == "hm"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('hello')", 'did not print {"completions": ["…"]}, but \'hello\''),
        ("", 'did not print {"completions": ["…"]}, but nothing'),
        ("print('{\"completions\": [1]}')", "did not print"),
        ("print('[' * 100000)", "did not print"),
        ("print('{\"completions\": []}')", "gave no completion"),
        ("import sys; sys.exit(1)", "ended with exit code 1"),
        ("import sys; sys.exit('no\\x1b[31m model')", "ended with exit code 1: no [31m model"),
        ("import os; os.kill(os.getpid(), 11)", "ended with signal 11"),
        ("while True: print('x' * 1000000)", "printed more than 16 MiB"),
    ],
    ids=["text", "nothing", "number", "deep", "empty", "exit", "stderr", "signal", "endless"],
)
def test_what_goes_wrong_is_said_in_a_few_words(script: Script, text: str, said: str) -> None:
    assert said in reason(script(text))


def test_one_that_hangs_is_killed_with_all_it_started(script: Script, tmp_path: Path) -> None:
    note = tmp_path / "child"
    text = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "600"])
open({str(note)!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    assert reason(script(text), timeout=3.0) == "gave no answer within 3 s"
    child = int(note.read_text())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.05)
    os.kill(child, 9)
    raise AssertionError("the child of the teacher still runs")


def test_one_bad_request_costs_only_itself(script: Script) -> None:
    found = complete(
        CommandTeacher(
            script(
                "import json, sys\nif 'question 1' in sys.argv: pass"
                + GOOD.replace(
                    "print(", "assert asked['prompt'] != 'question 1', 'not this one'\nprint("
                )
            )
        )
    )
    assert found[1] == Refused("ended with exit code 1: AssertionError: not this one")
    assert [bool(found[i]) for i in range(4)] == [True, False, True, True]


def test_an_edited_script_is_another_teacher(script: Script, tmp_path: Path) -> None:
    before = CommandTeacher(script(GOOD)).identity
    assert CommandTeacher(script(GOOD)).identity == before
    assert CommandTeacher(script(GOOD + "# more\n")).identity != before
    log = tmp_path / "calls.log"
    with_log = f"{script(GOOD)} {log}"
    log.write_text("1")
    before = CommandTeacher(with_log).identity
    log.write_text("2")
    assert CommandTeacher(with_log).identity == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "names no command"),
        ("no-such-program-here --x", "there is no command 'no-such-program-here'"),
        ("echo 'x", "quotation mark"),
    ],
)
def test_what_is_no_command_is_refused_before_anything_is_asked(command: str, said: str) -> None:
    with pytest.raises(TeacherError, match=said):
        CommandTeacher(command)


def test_a_script_that_no_shell_would_run_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "teach"
    path.write_text("no first line")
    path.chmod(0o755)
    with pytest.raises(TeacherError, match="does not start"):
        complete(CommandTeacher(str(path)))
