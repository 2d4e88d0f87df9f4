"""What a base makes of fixed texts is computed once, and ships with the bases that dlm brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm.base_models import resolve
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec, Encoded
from dlm.data.lessons import Lessons
from dlm.engine.model import Model, Score
from dlm.eval.base_memory import BaseMemory
from dlm.eval.measure import Evaluator
from dlm.eval.probes import question_sheet
from dlm.hardware import detect, plan_answers

ROW = Encoded([1, 2, 3], [False, True, True])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    return tmp_path


def _memory(mark: str = "a" * 64, dtype: str = "float32") -> BaseMemory:
    return BaseMemory(mark, "cpu", dtype)


def test_what_was_computed_is_known_to_the_next_process() -> None:
    first = _memory()
    first.note_score(ROW, Score(0.5, 2, True))
    first.note_answer([7, 8], 32, [9])
    first.keep()
    again = _memory()
    assert again.score(ROW) == Score(0.5, 2, True)
    assert again.answer([7, 8], 32) == [9]
    assert again.answer([7, 8], 64) is None


def test_another_base_or_arithmetic_knows_nothing_of_it() -> None:
    first = _memory()
    first.note_score(ROW, Score(0.5, 2, True))
    first.keep()
    assert _memory("b" * 64).score(ROW) is None
    assert _memory(dtype="bfloat16").score(ROW) is None


def test_a_row_with_other_supervision_is_another() -> None:
    first = _memory()
    first.note_score(ROW, Score(0.5, 2, True))
    assert first.score(Encoded([1, 2, 3], [False, False, True])) is None


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b", b"not gzip"])
def test_a_damaged_file_is_as_none(home: Path, damage: bytes) -> None:
    first = _memory()
    first.note_score(ROW, Score(0.5, 2, True))
    first.keep()
    (file,) = (home / "figures").iterdir()
    file.write_bytes(damage)
    assert _memory().score(ROW) is None


def test_where_nothing_is_new_nothing_is_written(home: Path) -> None:
    _memory().keep()
    assert not (home / "figures").exists()


def test_the_embedded_base_ships_with_all_that_a_scorecard_asks_of_it(home: Path) -> None:
    base = resolve("pocket")
    folder = local_folder(base)
    codec = Codec.load(folder)
    evaluator = Evaluator(Model.load(folder, plan_answers(detect(), base)), codec)
    card = evaluator.measure(
        question_sheet(Lessons(())), codec, document_sha256="", sequence_length=0
    )
    assert not (home / "figures").exists()
    assert card.figure("drift", "texts").value == pytest.approx(0, abs=1e-4)
    assert card.figure("drift", "changed").value == 0
