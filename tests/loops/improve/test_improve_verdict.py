"""The verdict: each condition alone can refuse, and says so with its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from improve_kit import HEAD

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.eval.exam import Answer, Paper
from dlm.eval.items import Fit, Item, Kind, Said
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.loops.improve.verdict import Side, Verdict, judge

DOCUMENT = parse_text(
    f"{HEAD}The shed has nine lockers.\n\n::instruction::\n### Q\nQ?\n### A\nA.\n"
)


def paper(*, right: int, nll: float, of: int = 12) -> Paper:
    return Paper(
        tuple(
            Answer(f"q{n}", "ref", n, "said", n < right, True, nll + n / 100, 0.0, 0.0)
            for n in range(of)
        )
    )


def card(
    document: Document, *, drift: float = 0.1, pair: str = "A.", known: float = 0.9
) -> Scorecard:
    """The one pair answered, all known so far, and the drift on general text."""
    prose, asked = document.sections[0], document.sections[1]
    fit = Fit(3.0 * (1 - known), 3.0, 5, exact=False)
    said = Said(pair, pair == "A.", pair == "A.", float(pair == "A."), True, 0.0, 3.0)
    items = [
        Item(Kind.PROSE, "", "The shed", fit, prose.section_id, prose.line),
        Item(Kind.TRAINED, "Q?", "A.", fit, asked.section_id, asked.line, said=said),
        *(Item(Kind.TEXT, "", "text", Fit(2.0 + drift, 2.0, 9, False)) for _ in range(3)),
    ]
    return scorecard(items, document_sha256=document.sha256, pairs=1, asked_pairs=1)


CHAMPION = Side(DOCUMENT, paper(right=2, nll=5.0), card(DOCUMENT))
BETTER = Side(DOCUMENT, paper(right=6, nll=3.0), card(DOCUMENT))


def verdict(challenger: Side, *, steps: int = 50, min_steps: int = 0) -> Verdict:
    return judge(CHAMPION, challenger, threshold=0.05, steps=steps, min_steps=min_steps)


def test_what_is_better_in_all_is_promoted_with_every_figure() -> None:
    found = verdict(BETTER, min_steps=50)
    assert found.promote
    assert found.reasons == ()
    assert len(found.met) == 6
    assert "+0.133 (90 % between" in found.met[0]
    assert found.to_json()["contest"]["p"] < 0.01


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (replace(BETTER, paper=paper(right=2, nll=3.0)), "the overall changed by +0.000"),
        (replace(BETTER, paper=paper(right=6, nll=5.0)), "p = 1, which must be below 0.05"),
        (replace(BETTER, card=card(DOCUMENT, drift=0.3)), "drift +0.10 → +0.30"),
        (replace(BETTER, card=card(DOCUMENT, known=0.6)), "0.90 → 0.60, learned → learned"),
    ],
)
def test_one_condition_that_fails_refuses(challenger: Side, reason: str) -> None:
    found = verdict(challenger)
    assert not found.promote
    assert any(reason in text for text in found.reasons), found.reasons


def test_more_lost_than_gained_refuses_though_the_loss_fell() -> None:
    found = verdict(replace(BETTER, paper=paper(right=1, nll=1.0)))
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
