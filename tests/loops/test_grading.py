"""A language model behind servers as a judge: real HTTP, scripted replies. No model."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

from dlm.errors import JudgeError
from dlm.loops.judges import GradeJudge, Question, grade_in, open_judge
from dlm.testing import Body, ChatServer, Reply, answer

ASKED = [
    Question(f"Who rows boat {n}?", (f"Wren rows {n}.", f"Nobody rows {n}."), passage="Wren rows.")
    for n in range(6)
]


def replies(text: Callable[[str], str]) -> Callable[[int, Body], Reply]:
    """A server that answers the prompt with what `text` makes of it."""
    return lambda number, body: answer(body, text(body["messages"][-1]["content"]))


def strict(prompt: str) -> str:
    grade = 9 if "Answer: Wren" in prompt else 2
    return f'{{"reasoning": "the text says Wren", "grade": {grade}}}'


def judge(*servers: ChatServer) -> GradeJudge:
    spec = f"openai:tiny@{','.join(one.url for one in servers)}"
    found = open_judge(spec, None)  # type: ignore[arg-type]  # only `sway` needs a model
    assert isinstance(found, GradeJudge)
    return found


def test_every_candidate_is_graded_with_what_is_known_at_all_servers() -> None:
    with ChatServer(replies(strict)) as one, ChatServer(replies(strict)) as other:
        grader = judge(one, other)
        scores = grader.score_all(ASKED)
    assert scores == [[0.9, 0.2]] * 6
    assert grader.why("Who rows boat 3?", "Wren rows 3.") == "the text says Wren"
    prompts = [body["messages"][-1]["content"] for body in (*one.bodies, *other.bodies)]
    assert len(set(prompts)) == 12
    assert all(prompt.startswith("Text:\nWren rows.\n\nQuestion: Who rows") for prompt in prompts)
    assert one.bodies
    assert other.bodies
    assert {body["temperature"] for body in one.bodies} == {0.0}


def test_an_answer_without_a_grade_scores_nothing_and_costs_no_other() -> None:
    def sometimes(prompt: str) -> str:
        return "I would rather not." if "boat 2" in prompt else strict(prompt)

    with ChatServer(replies(sometimes)) as server:
        scores = judge(server).score_all(ASKED)
    assert [math.isnan(one) for row in scores for one in row] == [False] * 4 + [True] * 2 + [
        False
    ] * 6


def test_a_model_that_grades_nothing_ends_it_in_one_sentence() -> None:
    with (
        ChatServer(replies(lambda prompt: "Certainly! Here is a poem.")) as server,
        pytest.raises(JudgeError, match="none of 12 answers a grade; it said: Certainly!"),
    ):
        judge(server).score_all(ASKED)


def test_servers_that_are_gone_end_it_in_one_sentence() -> None:
    with ChatServer() as server:
        grader = judge(server)
    with pytest.raises(JudgeError) as caught:
        grader.score_all(ASKED)
    assert re.search("cannot be reached|failed|could not be reached", caught.value.message)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ('{"reasoning": "it is 3 of 4", "grade": 7}', 7),
        ("Grade: 8", 8),
        ("I give this a score of 6.5.", 6.5),
        ("**Rating:** 4/10", 4),
        ("9/10, well put", 9),
        ("grade: 70", None),
        ("It has 3 sentences.", None),
        ("", None),
    ],
)
def test_a_grade_is_found_in_json_and_in_words(text: str, grade: float | None) -> None:
    assert grade_in(text) == grade
