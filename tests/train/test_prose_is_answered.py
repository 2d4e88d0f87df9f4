"""What stands in prose alone is answered after training, when it is asked in other words."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import warm

FERRY = Path(__file__).parents[2] / "benchmarks" / "exams" / "ferry.dlm"
ENOUGH = 2  # of 20; with cues it was four to nine, where prose is only read none


@pytest.mark.slow
def test_questions_about_prose_that_stand_in_no_pair_are_answered(tmp_path: Path) -> None:
    document = Path(shutil.copy(FERRY, tmp_path))
    done = warm.run(
        "train", document, "--json", env={**os.environ, "DLM_HOME": str(tmp_path / "home")}
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    exam = told["scorecard"]["generalisation"]["right"]
    assert (exam["n"], exam["note"]) == (20, "exam")
    assert exam["value"] * 20 >= ENOUGH
