"""Promotion and rollback: whole or not at all, whenever the process dies."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from improve_kit import begun, context, decided, in_child, opened, written

from dlm.doc.parser import parse_file
from dlm.errors import StoreError
from dlm.loops.improve.round import go_on
from dlm.loops.improve.teachers import roll_back
from dlm.store import improving
from dlm.store.improving import Step
from dlm.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with opened(path) as made:
        begun(made, path)
        yield made


def state(store: Store, path: Path) -> tuple[bytes, str, str]:
    """Document, current version and teacher."""
    current, teacher = store.current(), improving.serving(store.database)
    assert current is not None
    assert teacher is not None
    return path.read_bytes(), current.name, teacher.spec


def promoted(store: Store, path: Path, number: int) -> tuple[bytes, str, str]:
    assert go_on(context(store, path), decided(store, path, number)).step is Step.PROMOTED
    return state(store, path)


def test_a_promotion_is_one_run_in_the_document_and_the_next_teacher(
    store: Store, path: Path
) -> None:
    before = path.read_bytes()
    after = promoted(store, path, 1)
    assert b"What is fact 1?" in after[0]
    assert after[1:] == ("v0002", "self:v0002")
    (row,) = [each for each in improving.teachers(store.database) if each.round == "round-1"]
    assert (row.version, row.score, row.asked) == ("v0002", 0.5, 20)
    assert row.why == "promoted: +0.100 overall, p = 0.01"
    assert before != after[0]


def test_a_refusal_changes_nothing_and_keeps_the_candidate(store: Store, path: Path) -> None:
    before = state(store, path)
    one = go_on(context(store, path), decided(store, path, 1, promote=False))
    assert one.step is Step.REFUSED
    assert state(store, path) == before
    assert [version.name for version in store.versions()] == ["v0001", "v0002"]


def test_back_to_the_first_promotion_all_is_as_it_was_then(store: Store, path: Path) -> None:
    started = state(store, path)
    first = promoted(store, path, 1)
    second = promoted(store, path, 2)
    assert len({started, first, second}) == 3
    done = roll_back(path, 2, with_document=True)
    assert state(store, path) == first
    assert done.before.spec == "self:v0003"
    assert done.saved is not None
    assert done.saved.read_bytes() == second[0]
    roll_back(path, 3, with_document=True)
    assert state(store, path) == second
    roll_back(path, 0, with_document=True)
    assert state(store, path) == (started[0], "v0001", "base")


def test_without_the_document_a_rollback_says_that_it_differs(store: Store, path: Path) -> None:
    first = promoted(store, path, 1)
    second = promoted(store, path, 2)
    done = roll_back(path, None, with_document=False)
    assert done.document_differs
    assert state(store, path) == (second[0], *first[1:])


def test_what_the_owner_wrote_since_is_put_aside_not_lost(store: Store, path: Path) -> None:
    promoted(store, path, 1)
    path.write_bytes(path.read_bytes() + b"\nWritten by hand since.\n")
    done = roll_back(path, 1, with_document=True)
    assert done.saved is not None
    assert b"Written by hand since." in done.saved.read_bytes()
    assert b"Written by hand" not in path.read_bytes()


def test_a_rollback_ends_the_run_that_was_under_way(store: Store, path: Path) -> None:
    promoted(store, path, 1)
    one = decided(store, path, 2)
    roll_back(path, 1, with_document=True)
    assert improving.open_run(store.database) is None
    assert improving.rounds(store.database)[-1].id == one.id
    assert improving.rounds(store.database)[-1].step is Step.ABANDONED


@pytest.mark.parametrize("to", [None, 7])
def test_there_must_be_a_teacher_to_go_back_to(path: Path, to: int | None) -> None:
    with pytest.raises(StoreError, match="no teacher"):
        roll_back(path, to, with_document=True)


def test_versions_that_the_history_names_are_never_pruned(store: Store, path: Path) -> None:
    promoted(store, path, 1)
    for number in (2, 3, 4):
        go_on(context(store, path), decided(store, path, number, promote=False))
    promoted(store, path, 5)
    assert store.prune(1) == ["v0003", "v0004", "v0005"]
    assert [version.name for version in store.versions()] == ["v0001", "v0002", "v0006"]


def test_an_edit_elsewhere_meanwhile_is_kept(store: Store, path: Path) -> None:
    one = decided(store, path, 1)
    path.write_bytes(path.read_bytes() + b"\n::instruction::\n### Q\nMine?\n### A\nYes.\n::\n")
    assert go_on(context(store, path), one).step is Step.PROMOTED
    assert {pair.question for _, pair in parse_file(path).pairs()} == {"What is fact 1?", "Mine?"}


def test_a_document_that_lost_the_source_is_not_promoted_into(store: Store, path: Path) -> None:
    one = decided(store, path, 1)
    path.write_bytes(path.read_bytes().replace(b"nine lockers", b"ten lockers"))
    before = path.read_bytes()
    one = go_on(context(store, path), one)
    assert one.step is Step.REFUSED
    assert "the document was edited meanwhile" in one.facts["verdict"]["reasons"][0]
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can fork")
@pytest.mark.parametrize("point", ["document", "moved", "committed", "manifest written"])
def test_a_promotion_that_was_killed_is_finished(tmp_path: Path, point: str) -> None:
    path = written(tmp_path)
    with opened(path) as store:
        begun(store, path)
        one = decided(store, path, 1)

    def work() -> None:
        ready = False

        def checkpoint(done: str) -> None:
            if ready and done == point:
                os.kill(os.getpid(), signal.SIGKILL)

        with opened(path, checkpoint) as mine:
            ready = True
            go_on(context(mine, path, checkpoint), one)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert in_child(work) == -signal.SIGKILL
    with opened(path) as store:
        (again,) = improving.rounds(store.database)
        again = go_on(context(store, path), again)
        assert again.step is Step.PROMOTED
        text, current, teacher = state(store, path)
        assert (current, teacher) == ("v0002", "self:v0002")
        assert text.count(b"What is fact 1?") == 1
        assert [one.spec for one in improving.teachers(store.database)] == [
            "base",
            "self:v0001",
            "self:v0002",
        ]
        assert store.path.current_pointer.read_text("utf-8").strip().endswith("v0002")
