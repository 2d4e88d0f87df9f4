"""The paragraph: what it says of gains and losses, of first trainings, rounds and drift."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_kit import HEAD, improved, open_store, synthesized, train, write

from dlm.doc.document import Document
from dlm.report.facts import Facts
from dlm.report.gather import gather
from dlm.report.summary import helped, summarise
from dlm.store.completions import synth_runs

QUESTIONS = [f"What is the number of boat {n}?" for n in range(12)]
TEXT = HEAD + "".join(
    f"\n::instruction::\n### Q\n{question}\n### A\nIt is {n * 7}.\n::\n"
    for n, question in enumerate(QUESTIONS)
)


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return write(tmp_path, TEXT)


def after(document: Document, *wrong: int) -> Facts:
    """Trainings one after the other, each with so many wrong answers."""
    with open_store(document) as store:
        for count in wrong:
            train(store, document, dict.fromkeys(QUESTIONS[:count], "nothing"))
        return gather(document, store)


def test_a_gain_that_chance_does_not_give_is_called_help(document: Document) -> None:
    told = helped(after(document, 8, 1))
    assert told == (
        "The last training (v0002 after v0001) helped: it gained 7 and lost 0 of 12 questions "
        "asked both times, which is more than chance (p = 0.0078)."
    )


def test_a_gain_that_chance_may_give_is_called_so(document: Document) -> None:
    told = helped(after(document, 3, 1))
    assert "may have helped: it gained 2 and lost 0" in told
    assert "too few to rule out chance (p = 0.25)" in told


def test_a_loss_is_called_harm(document: Document) -> None:
    assert "did harm: it gained 0 and lost 8" in helped(after(document, 0, 8))
    assert "changed no answer" in helped(after(document, 1, 1, 1))


def test_the_first_version_is_compared_with_its_base(document: Document) -> None:
    told = helped(after(document, 0))
    assert "v0001 is the first version. Against the untrained base it helped" in told
    assert "from 3.00 to 0.05 nats a token (n = 12)" in told


def test_shares_of_ten_and_more_have_their_interval(document: Document) -> None:
    text = summarise(after(document, 3)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "v0001 answers 9 of 12 questions that it was trained on (90 % interval: 51 % to 90 %)"
        in text
    )
    assert "“What is the number of boat 0?” (line 8)" in text


def test_what_was_rolled_back_does_not_answer(document: Document) -> None:
    with open_store(document) as store:
        train(store, document)
        train(store, document, dict.fromkeys(QUESTIONS, "nothing"))
        store.set_current("v0001")
        summary = summarise(gather(document, store))
    assert summary.headline == "v0001 has learned 12 of 12 sections"
    assert "did harm" in summary.text
    assert "Since then v0001 answers again." in summary.text
    assert "Of what was measured, nothing is missing." in summary.text


@pytest.mark.parametrize("promoted", [True, False])
def test_the_last_round_is_told_of(document: Document, promoted: bool) -> None:
    with open_store(document) as store:
        train(store, document)
        train(store, document, current=promoted)
        improved(store, document, promoted=promoted)
        facts = gather(document, store)
    text = summarise(facts).text
    if promoted:
        took = (
            "v0002 took over from v0001, from 0.40 to 0.60 overall on the exam (n = 20, p = 0.004)"
        )
        assert f"The round brisk-heron-01 helped: {took}." in text
    else:
        assert "changed nothing, since its challenger was refused: the overall changed" in text
    assert facts.teacher == 1
    assert [version.served for version in facts.versions] == [True, promoted]


def test_drift_is_told_with_its_bound(document: Document) -> None:
    with open_store(document) as store:
        train(store, document, drift=0.6)
        text = summarise(gather(document, store)).text
    assert "0.60 nats a token harder for it than for its base (n = 12), beyond the bound" in text


def test_without_a_bound_none_is_claimed(document: Document) -> None:
    with open_store(document) as store:
        train(store, document, bound=None)
        text = summarise(gather(document, store)).text
    assert "(n = 12)." in text
    assert "bound" not in text


def test_parts_of_one_synthesis_count_together(document: Document) -> None:
    with open_store(document) as store:
        synthesized(store)
        synthesized(store, sha256="e" * 64)
        synthesized(store, sha256="e" * 64)
        assert len(synth_runs(store.database)) == 2
        (synth,) = gather(document, store).synths
    assert synth.run.planned == 4
    assert synth.run.note["funnel"]["generated"] == 20
    assert len(synth.run.samples) == 4
