"""The verdict: each condition alone can refuse, and says so with its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from strategies import DLM_ID

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.eval.answers import Answer, Item, Kind, Loss
from dlm.eval.exam import ExamAnswer, ExamResult
from dlm.eval.gate import Side, Verdict, judge
from dlm.eval.scorecard import Scorecard, scorecard

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n"
DOCUMENT = parse_text(
    f"{HEAD}The shed has nine lockers.\n\n::instruction::\n### Q\nQ?\n### A\nA.\n"
)


def result(*, right: int, nll: float, of: int = 12, worse: int = 0) -> ExamResult:
    """Answers that know what the loss leaves of 6 nats a token; of the last ones it is higher."""
    losses = [nll + n / 100 + (3.0 if n >= of - worse else 0.0) for n in range(of)]
    return ExamResult(
        tuple(
            ExamAnswer(
                f"q{n}", "ref", n, "said", n < right, True, loss, max(0.0, 1 - loss / 6), 0.0
            )
            for n, loss in enumerate(losses)
        )
    )


def card(
    document: Document, *, drift: float = 0.1, pair: str = "A.", known: float = 0.9
) -> Scorecard:
    """The one pair answered, all known so far, and the drift on general text."""
    prose, asked = document.sections[0], document.sections[1]
    fit = Loss(3.0 * (1 - known), 3.0, 5, exact=False)
    said = Answer(pair, pair == "A.", pair == "A.", float(pair == "A."), True, 0.0, 3.0)
    items = [
        Item(Kind.PROSE, "", "The shed", fit, prose.section_id, prose.line),
        Item(Kind.TRAINED, "Q?", "A.", fit, asked.section_id, asked.line, said=said),
        *(Item(Kind.TEXT, "", "text", Loss(2.0 + drift, 2.0, 9, False)) for _ in range(3)),
    ]
    return scorecard(items, document_sha256=document.sha256, pairs=1, asked_pairs=1)


CHAMPION = Side(DOCUMENT, result(right=2, nll=5.0), card(DOCUMENT))
BETTER = Side(DOCUMENT, result(right=6, nll=3.0), card(DOCUMENT))


def verdict(challenger: Side, *, steps: int = 50, min_steps: int = 0) -> Verdict:
    return judge(CHAMPION, challenger, threshold=0.05, steps=steps, min_steps=min_steps)


def test_what_is_better_in_all_is_promoted_with_every_figure() -> None:
    found = verdict(BETTER, min_steps=50)
    assert found.promote
    assert found.reasons == ()
    assert len(found.met) == 7
    assert "+0.233 (90 % between" in found.met[0]
    assert "12 of 12 questions are answered better, 0 worse" in found.met[1]
    assert found.to_json()["contest"]["p"] < 0.01


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (replace(BETTER, exam=result(right=2, nll=4.9)), "the overall changed by +0.005"),
        (replace(BETTER, exam=result(right=6, nll=4.9, worse=6)), "which must be below 0.05"),
        (replace(BETTER, exam=result(right=9, nll=5.1)), "+0.10 nats a token; chance raises it"),
        (replace(BETTER, card=card(DOCUMENT, drift=0.3)), "drift +0.10 → +0.30"),
        (replace(BETTER, card=card(DOCUMENT, known=0.6)), "0.90 → 0.60, learned → learned"),
    ],
)
def test_one_condition_that_fails_refuses(challenger: Side, reason: str) -> None:
    found = verdict(challenger)
    assert not found.promote
    assert any(reason in text for text in found.reasons), found.reasons


def test_too_few_that_differ_are_said_to_be_too_few() -> None:
    """Four more right answers of twelve, and all else the same: as likely as four heads."""
    found = verdict(replace(BETTER, exam=result(right=6, nll=5.0)))
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(
        "4 of 12 questions are answered better, 0 worse: too few to tell"
    )
    assert (found.harmless, found.contest.decidable) == (True, False)
    assert verdict(replace(BETTER, exam=result(right=7, nll=5.0))).promote


def test_a_gain_of_exactly_the_threshold_is_enough() -> None:
    """The mean of 48 differences is not 0.05 to the last bit."""
    before = replace(CHAMPION, exam=result(right=3, nll=7.0, of=48))
    after = replace(BETTER, exam=result(right=9, nll=7.0, of=48))
    assert judge(before, after, threshold=0.05, steps=1, min_steps=0).promote


def test_one_answer_lost_is_no_harm_beyond_chance_and_five_are() -> None:
    many = replace(CHAMPION, exam=result(right=6, nll=5.0))
    for right, harmless in ((5, True), (1, False)):
        after = replace(BETTER, exam=result(right=right, nll=4.0))
        found = judge(many, after, threshold=0.05, steps=1, min_steps=0)
        assert (found.promote, found.harmless) == (False, harmless)


def test_more_lost_than_gained_refuses_though_the_loss_fell() -> None:
    found = verdict(replace(BETTER, exam=result(right=1, nll=1.0)))
    assert "0 answers gained, 1 lost" in found.reasons


def test_a_section_that_is_no_longer_known_refuses() -> None:
    found = verdict(replace(BETTER, card=card(DOCUMENT, pair="B.", known=0.4)))
    assert any("learned → not learned" in text for text in found.reasons)


def test_too_few_steps_refuse() -> None:
    assert verdict(BETTER, steps=9, min_steps=10).reasons == (
        "trained for 9 steps, which must be 10",
    )


def test_a_little_more_drift_is_allowed_but_never_beyond_the_bound() -> None:
    assert verdict(replace(BETTER, card=card(DOCUMENT, drift=0.24))).promote
    drifted = replace(CHAMPION, card=card(DOCUMENT, drift=0.45))
    worse = replace(BETTER, card=card(DOCUMENT, drift=0.55))
    found = judge(drifted, worse, threshold=0.05, steps=1, min_steps=0)
    assert any("at most +0.50" in text for text in found.reasons)
