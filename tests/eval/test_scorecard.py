"""What items add up to, without a model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cards import card, item, said

from dlm.eval.answers import Item, Kind, Loss
from dlm.eval.scorecard import Scorecard, coherent

TEAL = "It is teal."


def _general(question: str, answer: str, base_answer: str, *, nll: float) -> Item:
    one = item(question, answer, "Paris.", kind=Kind.GENERAL, nll=nll, base_nll=2.0)
    return replace(one, base_said=said(base_answer, "Paris."))


def _whole() -> Scorecard:
    return card(
        [
            item("Which colour?", TEAL, section_id="a", line=3),
            item("Which form?", "It is red.", "It is round.", section_id="b", line=9, nll=1.5),
            item("colour", TEAL, kind=Kind.REWORDED, section_id="a", line=3, nll=1.5),
            item("form", TEAL, "It is round.", kind=Kind.REWORDED, section_id="b", line=9, nll=3.0),
            Item(Kind.PROSE, "", "A lamp", Loss(2.0, 4.0, 40, exact=False), "p", 1),
            Item(Kind.TEXT, "", "Once", Loss(4.5, 4.0, 100, exact=False)),
            Item(Kind.TEXT, "", "Twice", Loss(4.0, 4.0, 300, exact=False)),
            _general("Capital?", "Paris.", "It is Paris.", nll=2.4),
            _general("Capital, please?", TEAL, "Paris.", nll=2.6),
        ]
    )


def _value(one: Scorecard, group: str, name: str) -> float:
    value = one.figure(group, name).value
    assert value is not None
    return value


def test_each_group_counts_its_own_items() -> None:
    whole = _whole()
    assert _value(whole, "recall", "right") == 0.5
    assert _value(whole, "generalisation", "right") == 0.5
    assert _value(whole, "prose", "nll") == 2.0
    assert _value(whole, "drift", "texts") == pytest.approx(0.5 * 100 / 400)
    assert _value(whole, "drift", "questions") == pytest.approx(0.5)
    assert (_value(whole, "drift", "changed"), _value(whole, "drift", "worse")) == (1.0, 0.5)
    assert _value(whole, "drift", "spilled") == 0.5


def test_the_overall_figure_is_the_documented_formula() -> None:
    whole = _whole()
    accuracy = (_value(whole, "recall", "right") + _value(whole, "generalisation", "right")) / 2
    # Known: the first pair by its rewording 1 - 1.5/3, the second not at all, the prose 1 - 2/4.
    knowledge = (0.5 + 0.0 + 0.5) / 3
    coherence = _value(whole, "coherence", "coherence")
    assert _value(whole, "overall", "accuracy") == accuracy
    assert _value(whole, "overall", "knowledge") == pytest.approx(knowledge)
    expected = 0.4 * accuracy + 0.3 * coherence + 0.3 * knowledge
    assert _value(whole, "overall", "overall") == pytest.approx(expected)


def test_rewordings_are_named_as_such_and_give_way_to_an_exam() -> None:
    assert "not an exam" in _whole().figure("generalisation", "right").note
    sealed = card([*_whole().items, item("Sealed?", TEAL, kind=Kind.EXAM)])
    figure = sealed.figure("generalisation", "right")
    assert (figure.n, figure.note) == (1, "exam")


def test_what_cannot_be_measured_is_absent_and_says_why() -> None:
    prose = card([Item(Kind.PROSE, "", "A lamp", Loss(2.0, 4.0, 40, exact=False), "p", 1)])
    assert prose.figure("recall", "right").note == "the document has no pairs"
    assert prose.figure("overall", "overall").value is None
    assert "accuracy" in prose.figure("overall", "overall").note
    pairs = card([item("Which colour?", TEAL)])
    assert pairs.figure("prose", "perplexity").note == "the document has no prose"
    assert pairs.figure("generalisation", "right").note == "no question is long enough to reword"
    assert pairs.figure("probes", "right").note == "no pair is marked !probe"


@pytest.mark.parametrize(
    "change",
    [
        {"finished": False},
        {"text": "a b c a b c a b c", "repetition": 5 / 7},
        {"base_nll": 4.5},
        {"text": ""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_answer_is_coherent_until_one_thing_is_wrong(change: dict[str, object]) -> None:
    good = item("Which colour?", TEAL)
    assert good.said is not None
    assert coherent(good)
    assert not coherent(replace(good, said=replace(good.said, **change)))  # type: ignore[arg-type]


def test_an_answer_may_be_as_long_as_that_of_the_base() -> None:
    one = _general("Capital?", "Paris.", "Paris is the capital and", nll=2.0)
    assert one.said is not None
    assert one.base_said is not None
    cut = replace(one, said=replace(one.said, finished=False))
    assert not coherent(cut)
    assert coherent(replace(cut, base_said=replace(one.base_said, finished=False)))


def test_a_scorecard_survives_json() -> None:
    whole = _whole()
    assert Scorecard.from_json(json.loads(json.dumps(whole.to_json()))) == whole
