"""Nothing is asked twice: across calls, runs, limits, failures and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dlm.data.completion import Completion, Refused, Request
from dlm.errors import TeacherError
from dlm.loops.teachers import Cached, estimate
from dlm.store.completions import add_completions, completion_key, find_completions
from dlm.store.database import Database
from dlm.testing import ScriptedTeacher

ASKED = [Request("", f"question {i}") for i in range(6)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


def complete(cached: Cached, requests: Sequence[Request]) -> dict[int, Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    cached.complete(requests, found.__setitem__)
    return found


def test_a_second_run_asks_nothing_and_gives_the_same(database: Database) -> None:
    teacher = ScriptedTeacher()
    first = complete(Cached(teacher, database), ASKED)
    again = Cached(teacher, database)
    second = complete(again, ASKED)
    assert len(teacher.seen) == 6
    assert second == first
    kept = second[0][0]
    assert isinstance(kept, Completion)
    assert (kept.reasoning, kept.tokens, kept.finished) == ("hm", 3, True)
    assert str(again.counts) == "0 asked in 0.0 s, 6 from the cache"


def test_anything_that_may_change_an_answer_is_asked_anew(database: Database) -> None:
    teacher = ScriptedTeacher()
    complete(Cached(teacher, database), ASKED[:1])
    base = ASKED[0]
    others = [
        replace(base, system="S"),
        replace(base, prompt="other"),
        replace(base, n=2),
        replace(base, max_new_tokens=9),
        replace(base, temperature=0.1),
        replace(base, top_p=0.5),
        replace(base, seed=1),
    ]
    complete(Cached(teacher, database), others)
    assert len(teacher.seen) == 8
    complete(Cached(ScriptedTeacher(identity="two"), database), [base])
    other = ScriptedTeacher(identity="three")
    complete(Cached(other, database), [replace(base, temperature=base.temperature)])
    assert other.seen == ["question 0"]


def test_equal_requests_are_asked_once(database: Database) -> None:
    teacher = ScriptedTeacher()
    cached = Cached(teacher, database)
    found = complete(cached, [ASKED[0], ASKED[1], ASKED[0]])
    assert teacher.seen == ["question 0", "question 1"]
    assert found[0] == found[2] == ["re: question 0"]
    assert (cached.counts.asked, cached.counts.cached) == (2, 1)


def test_no_more_calls_than_allowed_and_what_was_left_out_is_counted(database: Database) -> None:
    teacher = ScriptedTeacher()
    complete(Cached(teacher, database), ASKED[:1])
    cached = Cached(teacher, database, max_calls=3)
    found = complete(cached, ASKED)
    assert sorted(found) == [0, 1, 2, 3]
    counts = cached.counts
    assert (counts.asked, counts.cached, counts.left_out) == (3, 1, 2)
    assert "2 left out" in str(counts)
    assert complete(cached, ASKED[4:]) == {}
    assert len(teacher.seen) == 4


def test_a_refusal_is_passed_on_counted_and_asked_again_next_time(database: Database) -> None:
    teacher = ScriptedTeacher(refuses="question 1")
    cached = Cached(teacher, database)
    found = complete(cached, ASKED)
    assert found[1] == Refused("will not")
    assert "1 failed (will not)" in str(cached.counts)
    assert cached.counts.to_json()["reasons"] == {"will not": 1}
    complete(Cached(teacher, database), ASKED)
    assert teacher.seen.count("question 1") == 2
    assert len(teacher.seen) == 7


def test_what_came_before_a_teacher_gave_up_is_kept(database: Database) -> None:
    cached = Cached(ScriptedTeacher(dies_at=4), database)
    found: dict[int, Sequence[str]] = {}
    with pytest.raises(TeacherError, match="out of chalk"):
        cached.complete(ASKED, found.__setitem__)
    assert (cached.counts.asked, cached.counts.left_out) == (4, 2)
    healthy = ScriptedTeacher()
    assert len(complete(Cached(healthy, database), ASKED)) == 6
    assert healthy.seen == ["question 4", "question 5"]


def test_an_estimate_counts_what_would_be_asked_and_asks_nothing(database: Database) -> None:
    teacher = ScriptedTeacher()
    complete(Cached(teacher, database), ASKED[:2])
    cached = Cached(teacher, database, max_calls=3)
    found = estimate(cached, [*ASKED, ASKED[5]])
    assert (found.calls, found.cached, found.left_out) == (3, 3, 1)
    assert found.tokens_in == 3 * len("question 0") // 4 + 1
    assert found.tokens_out == 3 * 256
    assert found.seconds is None
    assert str(found) == (
        "3 calls (3 more in the cache, 1 left out by the limit), "
        "8 tokens in, at most 768 out; tokens at 4 characters each"
    )
    assert len(teacher.seen) == 2


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=4))
def test_any_text_survives_the_store(database: Database, texts: list[str]) -> None:
    request = Request("", texts[0])
    key = completion_key("x", request)
    wanted = [Completion(text, reasoning=text) for text in texts]
    add_completions(database, key, "x", wanted)
    found = find_completions(database, [key])[key]
    assert found == wanted
    assert [one.reasoning for one in found] == wanted


def test_a_damaged_row_is_asked_anew(database: Database) -> None:
    teacher = ScriptedTeacher()
    complete(Cached(teacher, database), ASKED[:2])
    key = completion_key("one", ASKED[0])
    database.execute("UPDATE completions SET texts = '[[1, 2]]' WHERE key = ?", key)
    assert len(complete(Cached(teacher, database), ASKED[:2])) == 2
    assert len(teacher.seen) == 3


def test_more_keys_than_one_query_takes(database: Database) -> None:
    keys = [f"{i:064}" for i in range(1203)]
    with database.transaction():
        for key in keys:
            add_completions(database, key, "x", [key])
    assert len(find_completions(database, keys)) == 1203


SLOW = """
import json, sys, time
asked = json.load(sys.stdin)
with open(sys.argv[1], "a") as log:
    log.write(asked["prompt"] + "\\n")
time.sleep(0.15)
print(json.dumps({"completions": ["re: " + asked["prompt"]] * asked["n"]}))
"""
ASKING = """
import json, sys
from pathlib import Path
from dlm.data.completion import Request
from dlm.loops.teachers import Cached
from dlm.loops.teachers.spec import CommandTeacher
from dlm.store.database import Database
database = Database.open(Path(sys.argv[1]))
cached = Cached(CommandTeacher(sys.argv[2]), database)
found = {}
cached.complete([Request("", f"q{i}", n=2) for i in range(8)], found.__setitem__)
print(json.dumps({str(i): found[i] for i in sorted(found)}))
"""


def test_a_killed_run_is_continued_and_a_third_asks_nothing(tmp_path: Path) -> None:
    script, log = tmp_path / "teach.py", tmp_path / "calls.log"
    script.write_text(SLOW)
    command = f"{sys.executable} {script} {log}"
    arguments = [sys.executable, "-c", ASKING, str(tmp_path / "store.sqlite3"), command]

    def run() -> str:
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    killed = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    until = time.monotonic() + 60
    while (not log.exists() or log.read_text().count("\n") < 4) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert killed.stdout is not None
    killed.stdout.close()
    before = log.read_text().split()
    assert 4 <= len(before) < 8

    resumed = run()
    after = log.read_text().split()[len(before) :]
    # Only the call that was under way may be made again: its answer had nobody to go to.
    assert set(before[:-1]).isdisjoint(after)
    assert set(before) | set(after) == {f"q{i}" for i in range(8)}
    assert len(after) == len(set(after)) <= 8 - len(before) + 1

    log.unlink()
    assert run() == resumed
    assert not log.exists()
    (tmp_path / "store.sqlite3").rename(tmp_path / "old.sqlite3")
    assert run() == resumed


def test_answers_that_come_fast_wait_for_the_disk_once_a_second(database: Database) -> None:
    said: list[str] = []
    database._connection.set_trace_callback(said.append)
    requests = [Request("", f"question {i}") for i in range(50)]
    complete(Cached(ScriptedTeacher(), database), requests)
    database._connection.set_trace_callback(None)
    # All but the first, the last, and one a second on a slow machine.
    assert 40 <= sum("synchronous = NORMAL" in one for one in said) <= 48
    assert database.rows("PRAGMA synchronous")[0][0] == 2
    assert len(complete(Cached(ScriptedTeacher(dies_at=0), database), requests)) == 50
