"""Pushed probes reach the document exactly once, whatever dies or is typed meanwhile."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dlm.doc.bodies import PairRole
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.errors import DocumentError
from dlm.loops.edits import revert_to_file, take_back
from dlm.loops.push import Drained, drain
from dlm.store.database import Database
from dlm.store.edits import Probe, push_probes, queue_depth, waiting_probes

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
BODY = """
The shed is teal.

::instruction::
### Q
What colour is the shed?

### A
It is teal.

### Q !exam
How many boats lie in the shed?

### A
Seven boats.
::
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shed.dlm"
    path.write_text(HEAD + BODY)
    return path


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "queue.sqlite")
    yield database
    database.close()


def push(queue: Database, *probes: Probe) -> tuple[Probe, ...]:
    assert push_probes(queue, probes, capacity=10_000) == len(probes)
    return probes


def asked(path: Path) -> Counter[str]:
    return Counter(p.question for s, p in parse_file(path).pairs() if s.provenance is not None)


def test_a_probe_becomes_a_section_at_the_end(path: Path, queue: Database) -> None:
    (probe,) = push(queue, Probe("Who owns it?", "The club.", ("owners", "x")))
    drained = drain(queue, path)
    assert drained == Drained(added=(probe,))
    assert path.read_text().startswith(HEAD + BODY)
    section = parse_file(path).sections[-1]
    assert section.auto_harvest
    assert section.harvest_source == f"owners/{probe.probe_id}"
    assert section.content == "### Q !probe\nWho owns it?\n\n### A\nThe club.\n"
    (pair,) = section.pairs
    assert (pair.question, pair.answer, pair.role) == ("Who owns it?", "The club.", PairRole.PROBE)
    assert queue_depth(queue) == 0
    before = path.read_bytes()
    assert drain(queue, path) == Drained()
    assert path.read_bytes() == before


def test_what_the_document_asks_already_is_not_added_again(path: Path, queue: Database) -> None:
    before = path.read_bytes()
    push(queue, Probe("What colour is the shed?", "It is teal. \n"))
    assert len(drain(queue, path).known) == 1
    assert path.read_bytes() == before
    assert queue_depth(queue) == 0


def test_twins_are_written_once(path: Path, queue: Database) -> None:
    push(queue, Probe("Who?", "They."), Probe("Who?", "They."), Probe("Who?", "They."))
    drained = drain(queue, path)
    assert (len(drained.added), len(drained.known)) == (1, 2)
    assert asked(path) == {"Who?": 1}


def test_what_cannot_stand_beside_the_document_waits_and_says_why(
    path: Path, queue: Database
) -> None:
    push(
        queue,
        Probe("What colour is the shed?", "It is red."),
        Probe("How many boats lie in the shed?", "Seven boats."),
        Probe("Too long?", "x" * 100),
        Probe("Fine?", "Yes."),
        Probe("Fine?", "No."),
    )
    drained = drain(queue, path, fits=lambda q, a: "it is too long" if len(a) > 50 else None)
    assert [probe.prompt for probe in drained.added] == ["Fine?"]
    assert [held.reason for held in drained.held] == [
        "line 10 asks it already, with another answer",
        "line 16 keeps it sealed as !exam",
        "it is too long",
        "a probe before it asks it too, with another answer",
    ]
    assert [probe.reason for probe in waiting_probes(queue)] == [
        held.reason for held in drained.held
    ]
    path.write_text(path.read_text().replace("It is teal.", "It is red."))
    assert [probe.reference for probe in drain(queue, path).known] == ["It is red."]


def test_a_document_that_cannot_be_read_loses_no_probe(path: Path, queue: Database) -> None:
    push(queue, Probe("Who?", "They."))
    whole = path.read_text()
    path.write_text(whole + "\n::instruction::\n### A\nno question\n::\n")
    with pytest.raises(DocumentError, match="shed"):
        drain(queue, path)
    assert queue_depth(queue) == 1
    path.write_text(whole)
    assert len(drain(queue, path).added) == 1


def test_a_locked_document_loses_no_probe(
    path: Path, queue: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(queue, Probe("Who?", "They."))
    path.chmod(0o444)
    drained = drain(queue, path)
    assert not drained.added
    assert "read-only" in drained.held[0].reason
    path.chmod(0o644)
    assert len(drain(queue, path).added) == 1


def test_an_open_code_block_keeps_probes_waiting(path: Path, queue: Database) -> None:
    path.write_text(HEAD + "\nText.\n\n```\nnever closed\n")
    push(queue, Probe("Who?", "They."))
    assert "code block" in drain(queue, path).held[0].reason


@pytest.mark.parametrize("step", ["document written", "marked"])
def test_a_kill_at_any_step_writes_each_probe_once(
    path: Path, queue: Database, tmp_path: Path, step: str
) -> None:
    push(queue, *(Probe(f"Question {n}?", f"Answer {n}.") for n in range(20)))
    child = os.fork()
    if child == 0:
        mine = Database.open(tmp_path / "queue.sqlite")
        drain(mine, path, checkpoint=lambda name: _die() if name == step else None)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert asked(path) == {f"Question {n}?": 1 for n in range(20)}
    push(queue, Probe("One more?", "Yes."))
    assert [probe.prompt for probe in drain(queue, path).added] == ["One more?"]
    assert asked(path) == {"One more?": 1} | {f"Question {n}?": 1 for n in range(20)}
    assert queue_depth(queue) == 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_save_from_an_older_text_loses_no_probe(path: Path, queue: Database) -> None:
    push(queue, Probe("Who?", "They."), Probe("Where?", "Here."))
    drain(queue, path)
    path.write_text(HEAD + BODY + "\nTyped meanwhile.\n")
    drained = drain(queue, path)
    assert [probe.prompt for probe in drained.put_back] == ["Who?", "Where?"]
    assert asked(path) == {"Who?": 1, "Where?": 1}
    assert "Typed meanwhile." in path.read_text()


def test_what_the_owner_takes_out_stays_out(path: Path, queue: Database) -> None:
    push(queue, Probe("Who?", "They."), Probe("Where?", "Here."))
    drain(queue, path)
    text = path.read_text()
    start = text.rindex("::instruction::")
    path.write_text(text[:start].rstrip() + "\n")
    drained = drain(queue, path)
    assert [probe.prompt for probe in drained.removed] == ["Where?"]
    assert asked(path) == {"Who?": 1}
    path.write_text(HEAD + BODY)
    assert drain(queue, path) == Drained()
    assert asked(path) == {}


def test_a_probe_is_put_back_once_only(path: Path, queue: Database) -> None:
    push(queue, Probe("Who?", "They."))
    drain(queue, path)
    path.write_text(HEAD + BODY)
    assert len(drain(queue, path).put_back) == 1
    path.write_text(HEAD + BODY)
    assert [probe.prompt for probe in drain(queue, path).removed] == ["Who?"]
    assert asked(path) == {}


def test_a_revert_is_not_undone(path: Path, queue: Database) -> None:
    before = path.read_bytes()
    push(queue, Probe("Who?", "They."))
    drain(queue, path)
    take_back(queue, path, [Origin.PUSHED])
    assert path.read_bytes() == before
    assert len(drain(queue, path).removed) == 1
    assert path.read_bytes() == before


NASTY = [
    "::",
    "::instruction::",
    "::prose::",
    "### Q",
    "### A",
    "### Q !exam",
    "---",
    "dlm_id: other",
    '<!-- dlm-auto-harvest: source="x/y" -->',
    "-->",
    "```",
    "~~~~",
    "\\::",
    "\\\\### A",
    "\u2028",
    "\ufeff",
    "\r",
    "\x0b",
    '"><!--',
]


@given(
    st.lists(
        st.tuples(*[st.lists(st.sampled_from(NASTY) | st.text(), min_size=1).map("\n".join)] * 3),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_hostile_text_stays_inert(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "shed.dlm"
    path.write_text(HEAD + BODY)
    queue = Database.open(folder / "queue.sqlite")
    probes = push(
        queue,
        *(
            Probe(prompt.replace("\0", ""), answer.replace("\0", ""), (tag.replace("\0", ""),))
            for prompt, answer, tag in texts
        ),
    )
    before = parse_file(path)
    drained = drain(queue, path)
    after = parse_file(path)
    queue.close()
    assert after.text.startswith(before.text)
    assert after.frontmatter == before.frontmatter
    old = [(section.section_id, section.block_span) for section in before.sections]
    kept = after.sections[: len(before.sections)]
    assert [(section.section_id, section.block_span) for section in kept] == old
    assert len(after.sections) == len(before.sections) + len(drained.added)
    for probe, section in zip(drained.added, after.sections[len(before.sections) :], strict=True):
        assert section.harvest_source == probe.source
        assert len(section.pairs) == 1
    assert len(drained.added) + len(drained.known) + len(drained.held) == len(probes)
    revert_to_file(path, [Origin.PUSHED])
    assert path.read_bytes() == before.to_bytes()
