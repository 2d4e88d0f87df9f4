"""Watching: which saves make a cycle, which do not, and what is said of those that cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from watch_kit import (
    DLM_ID,
    TEXT,
    RecordingScreen,
    RecordingTrainer,
    in_place,
    replaced,
    until,
    with_backup,
)

from dlm.errors import DlmError
from dlm.loops.watch import Watch, WatchSettings, settle, stamp
from dlm.loops.watch_status import WatchStatus
from dlm.store.edits import Probe, push_probes
from dlm.store.store import Store
from dlm.train.options import Progress, TrainOptions

Save = Callable[[Path, str], None]


class Stopped(BaseException):
    """Ends the loop from within, as Ctrl-C would."""


class Running:
    """A loop in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trainer, self.screen = RecordingTrainer(), RecordingScreen()
        self.status = WatchStatus(settle_seconds=0.1)
        settings = WatchSettings(debounce_seconds=0.1)
        self.watch = Watch(
            path,
            settings,
            TrainOptions(),
            self.trainer,
            self.screen,
            self.status,
            Progress(),
        )

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.trainer.seen]

    def is_waiting(self) -> bool:
        return self.status.facts.phase == "waiting"


@contextmanager
def watching(path: Path) -> Iterator[Running]:
    running = Running(path)
    ended = threading.Event()

    def stop() -> None:
        if ended.is_set():
            raise Stopped

    running.trainer.before = stop

    def run() -> None:
        with suppress(Stopped):
            running.watch.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(running.is_waiting)
        time.sleep(0.3)  # so that the folder is watched
        yield running
    finally:
        ended.set()
        path.write_text(TEXT + "\nThe end.\n")
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shed.dlm"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("save", [replaced, in_place, with_backup])
def test_every_way_of_saving_makes_one_cycle_with_the_whole_text(path: Path, save: Save) -> None:
    with watching(path) as running:
        for number in range(1, 4):
            text = f"{TEXT}\nEdit {number}. " + "It goes on. " * 20 + "\n"
            save(path, text)
            until(lambda number=number: len(running.texts) == number + 1)  # type: ignore[misc]
            assert running.texts[-1] == text
        time.sleep(0.5)
        assert len(running.texts) == 4
        assert not running.screen.errors
        assert all(options.quick for _, options in running.trainer.seen[1:])


def test_a_burst_of_saves_is_one_cycle(path: Path) -> None:
    with watching(path) as running:
        for number in range(8):
            replaced(path, f"{TEXT}\nEdit {number}.\n")
            time.sleep(0.02)
        until(lambda: len(running.texts) == 2)
        assert running.texts[-1].endswith("Edit 7.\n")
        time.sleep(0.5)
        assert len(running.texts) == 2


def test_other_files_of_the_folder_make_no_cycle(path: Path) -> None:
    with watching(path) as running:
        for name in ("shed.dlm~", ".shed.dlm.swp", "other.dlm", "4913", "dlm.lock"):
            (path.parent / name).write_text(TEXT)
            (path.parent / name).unlink()
        time.sleep(0.5)
        assert len(running.texts) == 1


def test_a_syntax_error_says_where_and_the_next_save_goes_on(path: Path) -> None:
    with watching(path) as running:
        replaced(path, f"{TEXT}\n::instrution::\n")
        until(lambda: bool(running.screen.errors))
        assert str(running.screen.errors[0]).startswith(f"{path}:9:1:")
        assert len(running.texts) == 1
        replaced(path, f"{TEXT}\nPut right.\n")
        until(lambda: len(running.texts) == 2)


def test_another_dlm_id_is_refused(path: Path) -> None:
    with watching(path) as running:
        replaced(path, TEXT.replace(DLM_ID, "01J9ZQ6W3N8R2T4V6X8Y0A1B2D"))
        until(lambda: bool(running.screen.errors))
        assert "dlm_id" in running.screen.errors[0].message


def test_a_document_behind_a_link_is_watched_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "notes.dlm"
    real.write_text(TEXT)
    link = tmp_path / "link.dlm"
    link.symlink_to(real)
    with watching(link) as running:
        replaced(real, f"{TEXT}\nEdited there.\n")
        until(lambda: len(running.texts) == 2)


def test_a_push_is_written_and_its_own_write_makes_no_cycle(path: Path) -> None:
    with watching(path) as running:
        with Store.open(DLM_ID) as store:
            push_probes(store.database, [Probe("Who?", "They.")], capacity=10)
        running.status.pushed(1)
        until(lambda: len(running.texts) == 2)
        assert "Who?" in running.texts[-1]
        time.sleep(0.6)
        assert len(running.texts) == 2
        assert running.status.facts.queue_depth == 0


def test_what_is_saved_and_pushed_during_a_cycle_makes_the_next(path: Path) -> None:
    with watching(path) as running:
        stop = running.trainer.before

        def typed_meanwhile() -> None:
            running.trainer.before = stop
            replaced(path, f"{TEXT}\nTyped meanwhile.\n")
            with Store.open(DLM_ID) as store:
                push_probes(store.database, [Probe("Who?", "They.")], capacity=10)
            running.status.pushed(1)

        running.trainer.before = typed_meanwhile
        replaced(path, f"{TEXT}\nTyped before.\n")
        until(lambda: any("Who?" in text for text in running.texts))
        assert "Typed meanwhile." in running.texts[-1]


def test_two_editors_and_pushes_at_once_lose_nothing(path: Path) -> None:
    """Each editor reads, adds a line and saves; a stand-in for their own lock keeps them apart."""
    editors = threading.Lock()

    def edit(name: str, save: Save) -> None:
        for number in range(15):
            with editors:
                save(path, f"{path.read_text().rstrip()}\n\nLine {number} of {name}.\n")
            time.sleep(0.02)

    with watching(path) as running:
        threads = [
            threading.Thread(target=edit, args=("one", replaced)),
            threading.Thread(target=edit, args=("two", in_place)),
        ]
        for thread in threads:
            thread.start()
        for number in range(15):
            with Store.open(DLM_ID) as store:
                probe = Probe(f"Question {number}?", f"Answer {number}.")
                push_probes(store.database, [probe], capacity=100)
            running.status.pushed(1)
            time.sleep(0.05)
        for thread in threads:
            thread.join()

        def all_there() -> bool:
            text = path.read_text()
            running.status.pushed(0)
            probes = all(text.count(f"Question {n}?") == 1 for n in range(15))
            return probes and all(
                f"Line {n} of {e}." in text for n in range(15) for e in ("one", "two")
            )

        until(all_there)


def test_without_a_document_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(DlmError, match="there is no file"):
        Running(tmp_path / "none.dlm").watch.run()


def test_settling_waits_for_the_last_write(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def write() -> None:
        for size in range(5):
            path.write_text("x" * size)
            time.sleep(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    found = settle(path, 0.2)
    thread.join()
    assert found == stamp(path)
    assert found is not None
    assert found[2] == 4
    assert settle(tmp_path / "none", 0.01) is None


def test_the_estimate_is_of_measured_cycles() -> None:
    now = 100.0
    status = WatchStatus(settle_seconds=0.4, clock=lambda: now)
    assert status.eta() == pytest.approx(0.4)
    status.pushed(1)
    now = 100.3
    assert status.eta() == pytest.approx(0.1)
    status.begin()
    status.left(10.0)
    assert 10.0 <= status.eta() <= 12.5
    now = 106.3
    assert status.end() == pytest.approx(6.0)
    status.begin()
    now = 108.3
    status.left(60.0)  # the budget usually stops long before the last step
    assert status.eta() == pytest.approx(4.0 + 0.4)
    now = 120.3
    assert status.eta() > 40
