"""Candidates before judges that are programs: good ones, fickle ones, broken ones. No model."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dlm.data.lessons import Lesson
from dlm.errors import JudgeError
from dlm.loops.judges import CommandJudge, Judge
from dlm.loops.mine.candidates import Candidate, Mined
from dlm.loops.mine.run import judged
from dlm.testing import FixedJudge

ASKED = ("Who rows?", "Who mends?", "Who counts?")
GOOD = (
    "print(json.dumps({'score': 0.9 if told['candidate'] == told['reference'] else 0.2, "
    "'reasoning': 'it is ' + told['candidate'].split()[0]}))"
)


def prompts() -> list[Mined]:
    found = []
    for question in ASKED:
        known = f"Wren {question[4:-1]} on Sundays."
        texts = (f"Oduya {question[4:-1]} on Mondays.", known, f"Tamm {question[4:-1]} in fog.")
        lesson = Lesson(known, question, line=1, section_id="0" * 16)
        candidates = tuple(Candidate(text, "self:v0001", True, True) for text in texts)
        found.append(Mined(lesson, candidates))
    return found


def judge(folder: Path, body: str, timeout: float = 20.0) -> CommandJudge:
    script = folder / "judge.py"
    script.write_text(f"import json, os, sys, time\ntold = json.load(sys.stdin)\n{body}\n", "utf-8")
    return CommandJudge(f"{sys.executable} {script}", timeout=timeout)


def ask(judge: Judge) -> tuple[list[Mined], JudgeError | None]:
    return judged(prompts(), judge, judge.margin, lambda what, done, of: None)


def test_the_pair_is_judged_again_in_the_other_order(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    log = f"open({str(seen)!r}, 'a').write(told['prompt'] + '|' + told['candidate'] + chr(10))\n"
    found, gave_up = ask(judge(tmp_path, log + GOOD))
    assert gave_up is None
    lines = [line.split("|") for line in seen.read_text("utf-8").splitlines()]
    for mined in found:
        assert mined.contrast is not None
        assert mined.contrast.chosen.text == mined.answer
        assert mined.contrast.margin == pytest.approx(0.7)
        assert mined.contrast.chosen.why == "it is Wren"
        pair = {mined.contrast.chosen.text, mined.contrast.rejected.text}
        told = [text for prompt, text in lines if prompt == mined.prompt]
        assert len(told) == 5  # three candidates, and two of them once more
        assert told[3:] == [text for text in told[:3] if text in pair][::-1]


def test_a_judge_that_goes_by_the_order_prefers_nothing(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.touch()
    count = f"n = os.path.getsize({str(seen)!r}); open({str(seen)!r}, 'a').write('x')\n"
    # The later a candidate comes, the better it likes it.
    found, _ = ask(judge(tmp_path, f"{count}print(json.dumps({{'score': n % 5 / 3}}))"))
    assert not any(each.contrast for each in found)
    assert any("other order" in each.reason for each in found), [each.reason for each in found]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('I like it')", "did not print {\"score\": 0.7}, but 'I like it'"),
        ("print(json.dumps({'score': 'high'}))", "did not print"),
        ("print(json.dumps([0.5]))", "did not print"),
        ("print('{\"score\": NaN}')", "did not print"),
        ("print('{\"score\": 1e999}')", "did not print"),
        ("print('[' * 100000)", "did not print"),
        ("pass", "but nothing"),
        ("sys.stdout.buffer.write(b'\\xff\\x1b[2J')", "did not print"),
        ("sys.exit('the model is away')", "ended with exit code 1: the model is away"),
        ("os.kill(os.getpid(), 9)", "ended with signal 9"),
        ("sys.stdout.write('x' * 20_000_000)", "printed more than 16 MiB"),
    ],
)
def test_a_broken_judge_is_one_sentence(tmp_path: Path, body: str, says: str) -> None:
    found, gave_up = ask(judge(tmp_path, body))
    assert gave_up is not None
    assert "failed 3 times in a row; the last time it" in gave_up.message
    assert says in gave_up.message
    assert gave_up.message.isprintable()
    assert [each.reason for each in found] == ["it was not judged"] * 3


def test_a_judge_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "late"
    child = f"import time; time.sleep(3); open({str(mark)!r}, 'w')"
    body = f"import subprocess; subprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    began = time.monotonic()
    _, gave_up = ask(judge(tmp_path, body, timeout=0.6))
    assert gave_up is not None
    assert "gave no answer within 0.6 s" in gave_up.message
    assert time.monotonic() - began < 20
    time.sleep(max(0.0, 3.5 - (time.monotonic() - began)))
    assert not mark.exists()


def test_one_failure_costs_one_candidate(tmp_path: Path) -> None:
    found, gave_up = ask(judge(tmp_path, f"if 'Tamm' in told['candidate']: sys.exit(1)\n{GOOD}"))
    assert gave_up is None
    for each in found:
        assert each.contrast is not None
        assert each.contrast.rejected.text.startswith("Oduya")
        assert [one.reason for one in each.candidates if one.dropped] == ["the judge gave no score"]


def test_what_was_judged_before_it_failed_is_kept(tmp_path: Path) -> None:
    found, gave_up = ask(judge(tmp_path, f"if 'counts' in told['prompt']: sys.exit(3)\n{GOOD}"))
    assert isinstance(gave_up, JudgeError)
    assert [bool(each.contrast) for each in found] == [True, True, False]


def test_a_judge_whose_scores_stay_decides_at_once_and_by_its_margin() -> None:
    scores = {text: score for each in prompts() for text, score in _scores(each)}
    found, gave_up = ask(FixedJudge(scores))
    assert gave_up is None
    contrasts = [each.contrast for each in found]
    assert [one and one.rejected.text for one in contrasts] == [
        "Oduya rows on Mondays.",
        "Oduya mends on Mondays.",
        None,
    ]
    dropped = [one.text for each in found for one in each.candidates if one.dropped]
    assert dropped == ["Tamm rows in fog.", "Tamm mends in fog.", "Tamm counts in fog."]


def _scores(mined: Mined) -> list[tuple[str, float]]:
    """None for Tamm; to Wren's answers a clear lead, but not to the last."""
    oduya, wren, _ = (one.text for one in mined.candidates)
    return [(wren, 0.9), (oduya, 0.8 if "counts" in oduya else 0.1)]
