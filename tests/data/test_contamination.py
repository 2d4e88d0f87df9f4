"""The exam stays sealed."""

from __future__ import annotations

import pytest

from dlm.data.contamination import refuse_contamination
from dlm.data.examples import Example
from dlm.errors import TrainingError

EXAM = Example(
    "e",
    "authored",
    90,
    1.0,
    "The Otterby weighs 4.6 kilograms.",
    "How much does the Otterby weigh?",
)


def _train(question: str, answer: str = "The Otterby weighs 4.6 kilograms.") -> list[Example]:
    return [Example("t", "authored", 12, 1.0, answer, question)]


@pytest.mark.parametrize(
    "question",
    [
        "How much does the Otterby weigh?",
        "how much does the otterby weigh",
        "How much does  the Otterby weigh ?!",
        "How much does the Otterby weigh, please?",
        "Tell me how much the Otterby weighs: how much does the Otterby weigh?",
        "What does the Otterby weigh?",
        "How much did the Otterby weigh?",
    ],
)
def test_a_repeated_or_lightly_reworded_exam_question_is_refused_with_both_lines(
    question: str,
) -> None:
    with pytest.raises(TrainingError, match=r"^notes\.dlm:12: .* line 90,"):
        refuse_contamination(_train(question), [EXAM], "notes.dlm")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How heavy is the dryer?", "The Otterby weighs 4.6 kilograms."),
        ("How many trays fit into the Otterby?", "Six mesh trays fit."),
        ("Who designed the Otterby?", "Maud Garrow designed it."),
        ("What is the Otterby?", "It is a seed dryer."),
    ],
)
def test_the_same_fact_in_other_words_and_other_facts_pass(question: str, answer: str) -> None:
    refuse_contamination(_train(question, answer), [EXAM], "notes.dlm")


def test_prose_and_documents_without_an_exam_are_never_refused() -> None:
    prose = [Example("p", "authored", 3, 1.0, "How much does the Otterby weigh?")]
    refuse_contamination(prose, [EXAM], "notes.dlm")
    refuse_contamination(_train("How much does the Otterby weigh?"), [], "notes.dlm")
