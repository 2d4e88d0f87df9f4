"""Real runs on the embedded base: killed at every durable step, lied to, and flooded."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from improve_kit import HEAD

from dlm.doc.parser import parse_file
from dlm.store import improving
from dlm.store.paths import StorePath
from dlm.store.store import Store

BODY = """# The Otterby seed dryer

It was designed by Maud Garrow, a clockmaker, who lost a harvest of peas to mould. Ines Calloway \
made the first wheel in 1987.

## Drying

Lettuce seed needs fourteen hours. Tomato seed takes twenty hours, and it must be stirred once. \
Beans are dried at thirty-one degrees. The drawer holds 80 millilitres.

## Repairs

Repairs are done in Pell Quay on the first Saturday of every month. The warranty lasts thirty \
months. The spare parts are sold by Peter Loom in Otterton.

::instruction::
### Q
What does code E4 mean?
### A
Code E4 means that the fan is blocked.

### Q
What is the Otterby?
### A
The Otterby is a seed dryer.
::

::instruction#exam::
"""
EXAM = [
    ("Whose idea was the dryer?", "Maud Garrow"),
    ("The wheel was first made by whom?", "Ines Calloway"),
    ("How many hours for lettuce?", "fourteen hours"),
    ("Tomatoes stay inside for what time?", "twenty hours"),
    ("How hot should it be for beans?", "thirty-one degrees"),
    ("Where would I bring a broken dryer?", "Pell Quay"),
    ("Until when am I covered by warranty?", "thirty months"),
    ("From whom do I get spare parts?", "Peter Loom"),
]
FACTS = [
    ("Who designed the Otterby?", "The Otterby was designed by Maud Garrow."),
    ("Who made the first wheel?", "Ines Calloway made the first wheel in 1987."),
    ("How long does lettuce seed need?", "Lettuce seed needs fourteen hours."),
    ("How long does tomato seed take?", "Tomato seed takes twenty hours."),
    ("At what temperature are beans dried?", "Beans are dried at thirty-one degrees."),
    ("How much does the drawer hold?", "The drawer holds 80 millilitres."),
    ("Where are repairs done?", "Repairs are done in Pell Quay."),
    ("How long does the warranty last?", "The warranty lasts thirty months."),
    ("Who sells the spare parts?", "The spare parts are sold by Peter Loom in Otterton."),
]
TEACHER = """
import json, random, sys
told = json.load(sys.stdin)
random.seed(told["prompt"] + str(told["seed"]))
passage = told["prompt"].partition("Passage:")[2]
FACTS = {facts!r}
{body}
text = "\\n\\n".join(f"### Q\\n{{q}}\\n### A\\n{{a}}" for q, a in pairs)
print(json.dumps({{"completions": [text]}}))
"""
HONEST = """
words = lambda text: {w.strip(".,").lower() for w in text.split() if len(w) > 4}
pairs = [(q, a) for q, a in FACTS if words(a) & words(passage)]
"""
FEW = {"max_steps": 6, "keep_last_n": 9}
STEPS = ["part 1", "trained", "document"]
TRAINING = """training:
  num_epochs: 20
  micro_batch_size: 4
  grad_accum: 1
  rehearsal:
    enabled: false
"""

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform == "win32", reason="needs processes that can fork"),
]


class Zygote:
    """The process that `improve_zygote` describes."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("improve_zygote.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DLM_CHECKPOINT_SECONDS": "0"},
        )
        assert "ready" in self._line()

    def run(
        self,
        place: Place,
        *,
        die_at: Sequence[str] = (),
        die_after: float = 0.0,
        lenient: bool = True,
        train: bool = False,
        **options: Any,
    ) -> tuple[int, dict[str, Any]]:
        """Exit status, negative for a signal, and what came of it."""
        told = {
            "path": str(place.path),
            "home": str(place.home),
            "options": {**FEW, **options},
            "die_at": list(die_at),
            "die_after": die_after,
            "lenient": lenient,
            "train": train,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        answer = self._line()
        return answer["status"], json.loads(answer["result"] or "{}")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Place:
    """A document with a store of its own, and a teacher beside it."""

    def __init__(self, folder: Path, body: str = HONEST) -> None:
        self.path, self.home = folder / "notes.dlm", folder / "home"
        exam = "\n\n".join(f"### Q !exam\n{q}\n### A\n{a}" for q, a in EXAM)
        head = HEAD.replace("base_model: pocket\n", f"base_model: pocket\n{TRAINING}")
        self.path.write_text(f"{head}{BODY}{exam}\n::\n", "utf-8")
        script = folder / "teach.py"
        script.write_text(TEACHER.format(facts=FACTS, body=body), "utf-8")
        self.teacher = f"cli:{sys.executable} {script}"
        self.id = parse_file(self.path).frontmatter.dlm_id

    def adapter(self, version: str) -> str:
        """Digest of the weights of a version."""
        folder = StorePath(self.home / "store" / self.id).versions / version
        return sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()

    def pairs(self) -> list[tuple[str, str, str]]:
        """What stands in the document, and which run wrote it."""
        return [
            (section.provenance.run if section.provenance else "", pair.question, pair.answer)
            for section, pair in parse_file(self.path).pairs()
        ]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture(scope="module")
def done(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, Any]]:
    """One round, killed once at each of these steps."""
    place = Place(tmp_path_factory.mktemp("done"))
    for number, step in enumerate(STEPS):
        status, result = zygote.run(place, rounds=1, teacher=place.teacher, die_at=STEPS[number:])
        assert (status, result["died"]) == (-signal.SIGKILL, step)
    status, result = zygote.run(place, rounds=1, teacher=place.teacher)
    assert status == 0, result
    return place, result


def test_a_promotion_is_the_current_version_the_teacher_and_one_run_of_the_document(
    done: tuple[Place, dict[str, Any]],
) -> None:
    place, result = done
    (one,) = result["rounds"]
    assert one["step"] == "promoted", one
    assert (result["current"], result["teacher"]) == ("v0002", "self:v0002")
    exam = one["exam"]
    assert [len(paper["answers"]) for paper in exam.values()] == [len(EXAM)] * 3
    assert exam["teacher"]["knowledge"]["value"] is None
    assert isinstance(one["surpasses"], bool)
    assert one["shares"], "what was trained is noted by part"
    runs = {run for run, _, _ in place.pairs() if run}
    assert runs == {one["name"]}
    assert one["added"] == sum(run == one["name"] for run, _, _ in place.pairs())


def test_the_history_has_the_base_the_teacher_and_the_student(
    done: tuple[Place, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = done
    monkeypatch.setenv("DLM_HOME", str(place.home))
    with Store.open(place.id) as store:
        known = improving.teachers(store.database)
    assert [one.spec for one in known] == ["base", place.teacher, "self:v0002"]
    assert [one.current for one in known] == ["v0001", "v0001", "v0002"]
    assert all(one.score is not None and one.asked == len(EXAM) for one in known)


def test_killed_at_every_step_it_is_the_version_that_this_document_gives(
    zygote: Zygote, done: tuple[Place, dict[str, Any]], tmp_path: Path
) -> None:
    place, result = done
    undisturbed = Place(tmp_path)
    undisturbed.path.write_bytes(place.path.read_bytes())
    assert zygote.run(undisturbed, train=True)[0] == 0
    assert undisturbed.adapter("v0001") == place.adapter(result["current"])
    assert undisturbed.adapter("v0001") != place.adapter("v0001")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments_of_two_rounds_it_comes_to_the_same(
    zygote: Zygote, tmp_path: Path, seed: int
) -> None:
    expected = Place(_folder(tmp_path, "whole"))
    status, undisturbed = zygote.run(expected, rounds=2, seed=seed, teacher=expected.teacher)
    assert status == 0
    place, rng = Place(_folder(tmp_path, "killed")), random.Random(seed)
    for attempt in range(40):
        wait = rng.uniform(2, 20) * (1 + attempt / 10)  # a slow machine must get somewhere too
        status, result = zygote.run(
            place, rounds=2, seed=seed, teacher=place.teacher, die_after=wait
        )
        if status != -signal.SIGKILL:
            break
    assert status == 0
    assert result["current"] == undisturbed["current"]
    assert place.pairs() == expected.pairs()
    assert place.adapter(result["current"]) == expected.adapter(result["current"])


@pytest.mark.slow
def test_a_round_with_preferences_trains_its_triples_and_goes_on_after_a_kill(
    zygote: Zygote, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    told: dict[str, Any] = {"rounds": 1, "with_preferences": True, "teacher": place.teacher}
    for die_at in (["mined"], ["trained"]):
        assert zygote.run(place, die_at=die_at, max_steps=60, **told)[0] == -signal.SIGKILL
    status, result = zygote.run(place, max_steps=60, **told)
    assert status == 0, result
    (one,) = result["rounds"]
    assert "triple" in one["brings"]
    assert one["step"] == "promoted"
    assert any(section.triples for section in parse_file(place.path).sections)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("pairs = [FACTS[0]] * 4", "distinct-2"),
        (
            "names = passage.split()[:4]\n"
            "pairs = [(f'What is said of {n}?', f'{n} is said.') for n in names]",
            "question types have 0.00 bits",
        ),
    ],
    ids=["repeats", "floods"],
)
def test_a_teacher_without_variety_is_stopped_with_the_figures(
    zygote: Zygote, done: tuple[Place, dict[str, Any]], tmp_path: Path, body: str, why: str
) -> None:
    place = _copy(done[0], tmp_path, body)
    before = place.path.read_bytes()
    status, result = zygote.run(place, rounds=3, teacher=place.teacher)
    assert status == 0
    assert len(result["rounds"]) == 1
    assert why in result["outcome"]
    assert result["rounds"][0]["challenger"] is None
    assert (result["current"], place.path.read_bytes()) == ("v0002", before)


def test_a_liar_is_never_promoted(
    zygote: Zygote, done: tuple[Place, dict[str, Any]], tmp_path: Path
) -> None:
    lies = """
swap = {"Maud": "Ines", "fourteen": "twenty", "twenty": "seven", "thirty": "nine",
        "Pell": "Marsh", "Peter": "Tom", "80": "12", "Ines": "Maud"}
pairs = [(q, " ".join(swap.get(w, w) for w in a.split())) for q, a in FACTS]
"""
    place = _copy(done[0], tmp_path, lies)
    before = place.path.read_bytes()
    # What is not new, or not grounded, trains nothing; the rest would have to pass the exam.
    status, result = zygote.run(place, rounds=2, teacher=place.teacher, lenient=False)
    assert status == 0
    assert {one["step"] for one in result["rounds"]} == {"refused"}
    assert all(one["verdict"]["reasons"] for one in result["rounds"])
    assert (result["current"], place.path.read_bytes()) == ("v0002", before)


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def _copy(place: Place, folder: Path, body: str) -> Place:
    """The same document and store with another teacher."""
    made = Place(folder, body)
    shutil.copyfile(place.path, made.path)
    shutil.copytree(place.home, made.home)
    return made
