"""Preference phases on the embedded base: committed, refused, resumed, and run again and again."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.errors import Interrupted, TrainingError
from dlm.eval import measure, probes
from dlm.store import metrics
from dlm.store.memory import taught_to
from dlm.store.store import Store
from dlm.train.checkpoint import read_checkpoint
from dlm.train.figures import PairEpoch
from dlm.train.options import Progress, StepFigures, TrainOptions
from dlm.train.report import TrainingReport
from dlm.train.run import train
from dlm.train.session import Workshop
from dlm.train.start import NothingToTrain

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
HEAD = f"""---
dlm_id: {ID}
dlm_version: 15
base_model: pocket
training:
  micro_batch_size: 4
  grad_accum: 1
  preference:
    method: dpo
    learning_rate: 0.0004
---

::instruction::
### Q
What colour is the Brindle lamp?
### A
It is teal, and thank you for asking.

### Q
Who made it?
### A
Odile Varga made it, and thank you for asking.
::
"""
THINGS = ("kettle", "clock", "stove", "radio", "boat", "bell", "loom", "pen", "bike", "door")
ONLY = TrainOptions(phase="preference", epochs=2)


LONG = "Yes, and thank you for asking."


def triple(thing: str, *, wanted: str = "Yes.", unwanted: str = LONG) -> str:
    return f"### Prompt\nIs there a {thing}?\n### Chosen\n{wanted}\n### Rejected\n{unwanted}\n"


def document(path: Path, *triples: str, marker: str = "") -> Document:
    body = f"\n::preference::\n{marker}{''.join(triples)}::\n" if triples else ""
    path.write_text(HEAD + body, encoding="utf-8")
    return parse_file(path)


FOUR = tuple(map(triple, THINGS[:4]))


class Watch(Progress):
    """Keeps the epochs, and presses Ctrl-C at a step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.epochs: list[PairEpoch] = []

    def preference(self, figures: PairEpoch) -> None:
        self.epochs.append(figures)

    def step(self, figures: StepFigures) -> None:
        if figures.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module", autouse=True)
def _little_measuring() -> Iterator[None]:
    texts, pairs = measure.held_out_texts()[:3], probes.general_questions()[:2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "held_out_texts", lambda: texts)
        patch.setattr(probes, "general_questions", lambda: pairs)
        yield


@pytest.fixture(scope="module")
def _taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one version, of the pairs alone."""
    home = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(home))
        made = train(document(home / "a.dlm"), TrainOptions(), Progress())
    assert isinstance(made, TrainingReport)
    assert made.outcome.learned == made.outcome.pairs == 2
    return home


@pytest.fixture(autouse=True)
def _home(_taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(_taught, tmp_path / "home")
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """The base is loaded once; what it holds is one test's version and never another's."""
    with Workshop() as made:
        yield made


def committed(found: TrainingReport | NothingToTrain) -> TrainingReport:
    assert isinstance(found, TrainingReport), found
    return found


def test_a_phase_follows_the_pairs_and_an_unchanged_document_trains_nothing(
    tmp_path: Path, workshop: Workshop
) -> None:
    path = tmp_path / "a.dlm"
    watch = Watch()
    report = committed(train(document(path, *FOUR), TrainOptions(), watch, workshop=workshop))
    assert report.phase == "preference"
    assert report.previous is not None
    assert (report.version.name, report.version.parent) == ("v0002", "v0001")
    assert report.earlier is None, "the pairs were known"
    figures = report.preference
    assert figures is not None
    assert figures.before.preferred < figures.after.preferred == figures.after.n == 4
    assert figures.after.margin > figures.before.margin
    assert report.outcome.epochs == tuple(watch.epochs)
    with Store.open(ID) as store:
        assert store.run_of("v0002").mode == "preference"
        assert len(taught_to(store.database, 2)) == 4
        assert store.memory("v0002")[0].lesson == store.memory("v0001")[0].lesson
    again = train(parse_file(path), TrainOptions(), Progress(), workshop=workshop)
    assert isinstance(again, NothingToTrain)
    assert (again.version.name, again.refused) == ("v0002", None)

    # A new triple brings the old ones along; pairs that are trained later do not lose them.
    more = committed(
        train(document(path, *FOUR, triple("bell")), ONLY, Progress(), workshop=workshop)
    )
    assert more.preference is not None
    assert (more.preference.new, more.preference.replayed) == (1, 4)
    text = path.read_text("utf-8").replace("thank you for asking.\n::", "thanks.\n::")
    path.write_text(text, encoding="utf-8")
    sft = committed(
        train(
            parse_file(path), TrainOptions(phase="sft", max_steps=2), Progress(), workshop=workshop
        )
    )
    with Store.open(ID) as store:
        assert len(taught_to(store.database, sft.version.number)) == 5


def test_triples_that_are_preferred_already_need_nothing(
    tmp_path: Path, workshop: Workshop
) -> None:
    answered = (
        "### Prompt\nWho made it?\n### Chosen\nOdile Varga made it, and thank you for asking.\n"
        "### Rejected\nNobody knows any more.\n"
    )
    made = document(tmp_path / "a.dlm", answered)
    found = train(made, TrainOptions(), Progress(), workshop=workshop)
    assert isinstance(found, NothingToTrain), found
    assert found.refused is None
    assert found.preferred is not None
    assert (found.preferred.n, found.preferred.preferred) == (1, 1)
    with Store.open(ID) as store:
        assert [version.name for version in store.versions()] == ["v0001"]
        assert [one.mode for one in metrics.runs(store.database)] == ["fresh"]
        (known,) = taught_to(store.database, 1).values()
        assert (known.since, known.slipped) == ("v0001", False)
    again = train(made, TrainOptions(), Progress(), workshop=workshop)
    assert isinstance(again, NothingToTrain)
    assert again.preferred is None, "the version knows it"
    asked_for = train(made, ONLY, Progress(), workshop=workshop)
    assert isinstance(asked_for, TrainingReport), "the owner said how many epochs"


def test_what_contradicts_itself_is_refused_and_said_again(
    tmp_path: Path, workshop: Workshop
) -> None:
    turned = triple("kettle", wanted=LONG, unwanted="Yes.")
    path = tmp_path / "a.dlm"
    found = train(document(path, *FOUR, turned), TrainOptions(), Progress(), workshop=workshop)
    assert isinstance(found, NothingToTrain)
    assert found.refused is not None
    assert "lines 26 and 50" in found.refused.reasons[0]
    with Store.open(ID) as store:
        assert [version.name for version in store.versions()] == ["v0001"]
        (run,) = [one for one in metrics.runs(store.database) if one.mode == "preference"]
        assert run.outcome.value == "refused"
    forced = train(
        parse_file(path), replace(ONLY, force=True, epochs=1), Progress(), workshop=workshop
    )
    assert "lines 26 and 50" in committed(forced).despite[0]


def test_labels_by_chance_are_refused_and_the_refusal_is_remembered(
    tmp_path: Path, workshop: Workshop
) -> None:
    long, short = LONG, "Yes."
    turned = [
        triple(f"{colour} {thing}", wanted=wanted, unwanted=unwanted)
        for place, thing in enumerate(THINGS)
        for colour, (wanted, unwanted) in zip(
            ("red", "old"), ((long, short), (short, long)), strict=True
        )
        if place < 12
    ]
    made = document(tmp_path / "a.dlm", *turned)
    found = train(made, ONLY, Progress(), workshop=workshop)
    assert isinstance(found, NothingToTrain), found
    assert found.refused is not None
    assert any("agree on nothing" in reason for reason in found.refused.reasons)
    assert found.refused.figures is not None
    again = train(made, ONLY, Watch(stop_at=1), workshop=workshop)
    assert isinstance(again, NothingToTrain)
    assert again.refused is not None
    assert again.refused.before
    with Store.open(ID) as store:
        current = store.current()
        assert current is not None
        assert current.name == "v0001"


def test_mined_triples_weigh_less_and_can_be_left_out(tmp_path: Path, workshop: Workshop) -> None:
    made = document(
        tmp_path / "a.dlm", *FOUR, marker='<!-- dlm-auto-mined: mined_run_id="r1" -->\n'
    )
    left_out = train(made, TrainOptions(no_mined=True), Progress(), workshop=workshop)
    assert isinstance(left_out, NothingToTrain)
    from dlm.data.lessons import lessons_of

    assert {one.weight for one in lessons_of(made).triples} == {0.5}


def test_a_phase_on_its_own_needs_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "empty"))
    with pytest.raises(TrainingError, match="there is no version of"):
        train(document(tmp_path / "a.dlm", *FOUR), ONLY, Progress())


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_phase_that_was_stopped_goes_on_to_the_same_bytes(stop_at: int, tmp_path: Path) -> None:
    made = document(tmp_path / "a.dlm", *FOUR, *map(triple, THINGS[4:8]))
    options = replace(ONLY, force=True)
    with pytest.raises(Interrupted, match=f"stopped at step {stop_at}"):
        train(made, options, Watch(stop_at))
    with Store.open(ID) as store:
        kept = read_checkpoint(store.path.checkpoint)
        assert kept is not None
        assert kept.identity.phase == "preference"
        assert kept.course.preference is not None
        assert len(kept.course.preference.reference) == 8
        assert [version.name for version in store.versions()] == ["v0001"]
    resumed = committed(train(made, TrainOptions(), Progress(), resume=True))
    with Store.open(ID) as store:
        store.set_current("v0001")
    whole = committed(train(made, options, Progress()))
    assert _weights(resumed) == _weights(whole)
    assert resumed.outcome.losses == whole.outcome.losses
    assert resumed.preference == whole.preference


@pytest.mark.slow
def test_both_phases_in_one_go_are_the_two_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = document(tmp_path / "a.dlm", *FOUR)
    options = TrainOptions(epochs=2, fresh=True, force=True, candidate=True)
    both = committed(train(made, options, Progress()))
    assert both.earlier is not None
    assert both.version.parent == both.earlier.version.name
    assert both.earlier.version.parent is None
    with Store.open(ID) as store:
        current = store.current()
        assert current is not None
        assert current.name == "v0001", "candidates do not answer"
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "other"))
    first = committed(train(made, TrainOptions(epochs=2, phase="sft"), Progress()))
    second = committed(train(made, TrainOptions(phase="preference", force=True), Progress()))
    assert _weights(first) == _weights(both.earlier)
    assert _weights(second) == _weights(both)


@pytest.mark.slow
def test_phases_in_one_process_are_those_of_one_process_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workshop: Workshop
) -> None:
    """Each brings a new triple; what stays in memory is what would be loaded."""
    own, rss, loads = [], [], []
    for number in range(1, 4):
        made = document(tmp_path / "a.dlm", *map(triple, THINGS[:number]))
        one = replace(ONLY, epochs=1, force=True)
        own.append(_weights(committed(train(made, one, Progress(), workshop=workshop))))
        rss.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        loads.append(workshop.loads)
    assert len(set(loads)) == 1, "the model was loaded once"
    assert rss[-1] - rss[0] < 60_000, "kilobytes"
    with Store.open(ID) as store:
        store.set_current("v0001")
    made = document(tmp_path / "a.dlm", *map(triple, THINGS[:1]))
    assert _weights(committed(train(made, one, Progress()))) == own[0]
    with Store.open(ID) as store:
        store.set_current("v0003")
    made = document(tmp_path / "a.dlm", *map(triple, THINGS[:3]))
    assert _weights(committed(train(made, one, Progress()))) == own[2]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_phases_in_one_process_are_ten_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(ONLY, epochs=1, force=True)
    home = Path(os.environ["DLM_HOME"])
    shutil.copytree(home, tmp_path / "processes")
    seconds, resident, own = [], [], []
    with Workshop(stays=True) as workshop:
        for number in range(1, 11):
            made = document(tmp_path / "a.dlm", *map(triple, THINGS[:number]))
            began = time.monotonic()
            own.append(_weights(committed(train(made, one, Progress(), workshop=workshop))))
            seconds.append((time.monotonic() - began) / (number + 3))
            resident.append(_resident_megabytes())
        assert workshop.loads == 1
    assert resident[-1] < resident[2] + 40
    assert sum(seconds[-3:]) < 2 * sum(seconds[1:4])
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "processes"))
    for number in range(1, 11):
        document(tmp_path / "a.dlm", *map(triple, THINGS[:number]))
        command = [sys.executable, "-m", "dlm.cli.app", "train", str(tmp_path / "a.dlm")]
        command += ["--phase", "preference", "--epochs", "1", "--force", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        folder = Path(json.loads(done.stdout)["path"])
        assert (folder / "adapter_model.safetensors").read_bytes() == own[number - 1]


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _weights(report: TrainingReport) -> bytes:
    return (report.version.path / "adapter_model.safetensors").read_bytes()
