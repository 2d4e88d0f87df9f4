"""Edits of files while other processes save, kill and wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edits_kit import HEAD, addition, document, plan
from hypothesis import HealthCheck, given, settings, strategies as st
from strategies import strings

from dlm.doc.parser import parse_file, parse_text
from dlm.doc.provenance import Origin
from dlm.doc.render import normalise
from dlm.errors import DocumentError, EditConflict, LockHeld
from dlm.loops.edits import (
    Addition,
    applied,
    apply_to_file,
    diff,
    replace_document,
    revert_to_file,
    reverted,
)
from dlm.store.locks import document_lock

SYNTH = (Origin.SYNTHESIZED,)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.dlm"
    path.write_bytes(f"{HEAD}One.\n".encode())
    return path


def test_a_save_between_reading_and_writing_is_not_lost(file: Path) -> None:
    def save() -> None:
        file.write_bytes(f"{HEAD}One, as I saved it.\n".encode())

    wanted = plan(parse_file(file), addition("New?"))
    with pytest.raises(EditConflict, match="changed meanwhile; nothing was written"):
        apply_to_file(file, wanted, last_check=save)
    assert file.read_bytes() == f"{HEAD}One, as I saved it.\n".encode()
    assert [entry.name for entry in file.parent.iterdir()] == ["a.dlm"]
    with pytest.raises(EditConflict):
        apply_to_file(file, wanted, last_check=file.unlink)
    assert list(file.parent.iterdir()) == []


def test_replacing_a_document_that_was_edited_is_refused(file: Path) -> None:
    before = parse_file(file)
    file.write_bytes(f"{HEAD}Two.\n".encode())
    with pytest.raises(EditConflict):
        replace_document(file, before, document("Three.\n"))
    assert file.read_bytes() == f"{HEAD}Two.\n".encode()


def test_one_edit_at_a_time(file: Path) -> None:
    wanted = plan(parse_file(file), addition("New?"))
    with document_lock(file), pytest.raises(LockHeld):
        apply_to_file(file, wanted)


_LOOP = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from edits_kit import addition, plan
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.loops.edits import apply_to_file, revert_to_file
path = Path(sys.argv[1])
wanted = plan(parse_file(path), addition("New?", "x" * 100_000))
print("ready", flush=True)
while True:
    apply_to_file(path, wanted)
    revert_to_file(path, [Origin.SYNTHESIZED])
"""


def test_a_kill_leaves_the_old_or_the_new_file(file: Path) -> None:
    before = parse_file(file)
    after = applied(before, plan(before, addition("New?", "x" * 100_000)))
    whole = {before.to_bytes(), after.to_bytes()}
    here = Path(__file__).parent
    for number in range(4):
        file.write_bytes(before.to_bytes())
        process = subprocess.Popen(
            [sys.executable, "-c", _LOOP, str(file), str(here), str(here.parent)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05 + 0.037 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert file.read_bytes() in whole
        apply_to_file(file, plan(before, addition("After?", run="r2"), run="r2"))
    for left in file.parent.glob(".a.dlm.*.tmp"):
        os.utime(left, (0, 0))
    revert_to_file(file, SYNTH)
    assert [entry.name for entry in file.parent.iterdir()] == ["a.dlm"]


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(question=strings() | st.text(), answer=strings() | st.text())
def test_any_text_lands_inside_one_section_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, question: str, answer: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.dlm"
    path.write_bytes(f"{HEAD}One.\n\n::prose::\nTwo.\n::\n".encode())
    before = parse_file(path)
    try:
        new = addition(question, answer, after=before.sections[0].section_id)
    except DocumentError:
        return
    apply_to_file(path, plan(before, new))
    after = parse_file(path)
    assert [section.section_id for section in after.sections[::2]] == [
        section.section_id for section in before.sections
    ]
    assert [pair.question for _, pair in after.pairs()] == [normalise(question)]
    assert revert_to_file(path, SYNTH).document.text == before.text
    assert path.read_bytes() == before.to_bytes()


@pytest.mark.parametrize(
    "payload",
    [
        "::\n::instruction::\n### Q\nx\n### A\ny\n::",
        "---\ndlm_id: other\n---",
        '<!-- dlm-auto-synth: run="other" -->',
        "```\nnever closed\n::prose::",
        "~~~~\n" * 3001,
        "\r::\r\n::\r",
        "\u2028::\u2028::prose::\u2029\x85::\f::",
        "\n".join(f"line {n}" for n in range(20_000)),
        "\x1b[2J\x07",
    ],
)
def test_hostile_text_is_inert(file: Path, payload: str) -> None:
    before = parse_file(file)
    apply_to_file(file, plan(before, addition(payload, payload)))
    after = parse_file(file)
    assert len(after.sections) == 2
    assert after.frontmatter == before.frontmatter
    assert after.sections[1].provenance is not None
    assert after.sections[1].provenance.run == "r1"
    revert_to_file(file, SYNTH)
    assert file.read_bytes() == before.to_bytes()


def test_five_hundred_additions_to_a_megabyte_take_about_a_second() -> None:
    body = "".join(
        f"Paragraph {n}. " + "Some words that fill a line of the file.\n" * 5 + "\n"
        f"::instruction::\n### Q\nWhat is {n}?\n### A\nA number.\n::\n\n"
        for n in range(3700)
    )
    start = parse_text(HEAD + body)
    assert len(start.text) > 1_000_000
    additions: list[Addition] = [
        addition(f"New {n}?", after=start.sections[14 * n].section_id) for n in range(500)
    ]
    wanted = plan(start, *additions)
    began = time.process_time()
    after = applied(start, wanted)
    spent = time.process_time() - began
    assert spent < 3
    began = time.process_time()
    assert diff(start, wanted).count("\n+::instruction::") == 500
    assert reverted(after, SYNTH).document.text == start.text
    assert time.process_time() - began < 8
    print(spent)
