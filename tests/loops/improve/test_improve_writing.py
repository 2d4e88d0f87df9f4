"""What each round asks that the one before did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from improve_kit import AT, begun, decided, opened, plan_of, written

from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin, Provenance
from dlm.eval.answers import Answer, Item, Kind, Loss
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.loops.edits import Addition, EditPlan, NewTriple, applied, plan_to_json, reverted
from dlm.loops.improve import writing
from dlm.loops.improve.options import ImproveOptions
from dlm.loops.improve.round import together
from dlm.loops.synth import Strategy
from dlm.store.improving import Round, Step

BODY = """# The shed

The shed has nine lockers. The spare key hangs inside the drainpipe.

::instruction::
### Q !probe
Where does the spare key hang?
### A
It hangs inside the drainpipe.

### Q
How many lockers are there?
### A
nine

### Q !exam
Whose shed is it?
### A
It is the club's.
::

The blue boat is called Marigold, and Pepper needs two people who can swim.
"""


def card(path: Path, *, known: dict[int, float], wrong: tuple[str, ...] = ()) -> Scorecard:
    """A scorecard of the prose, by its place in the document, and of the pairs."""
    document = parse_file(path)
    items = [
        Item(
            Kind.PROSE,
            "",
            "text",
            Loss(3.0 * (1 - share), 3.0, 9, exact=False),
            document.sections[place].section_id,
            document.sections[place].line,
        )
        for place, share in known.items()
    ]
    for section, pair in document.pairs():
        right = pair.question not in wrong
        said = Answer("said", right, right, float(right), True, 0.0, 1.0)
        kind = Kind.EXAM if pair.role.value == "exam" else Kind.TRAINED
        items.append(
            Item(
                kind,
                pair.question,
                pair.answer,
                Loss(0.1, 3.0, 5, exact=right),
                section.section_id,
                pair.line,
                probe=pair.role.value == "probe",
                said=said,
            )
        )
    return scorecard(items, document_sha256=document.sha256, pairs=2, asked_pairs=2)


def test_the_first_round_asks_about_all_later_ones_about_what_is_not_learned(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, BODY)
    document = parse_file(path)
    prose = [each.section_id for each in document.sections if each.type.value == "prose"]
    half = card(path, known={0: 0.9, 2: 0.2})
    assert list(writing.focus(document, half, 1)) == prose
    assert list(writing.focus(document, half, 2)) == prose[1:]
    assert list(writing.focus(document, card(path, known={0: 0.9, 2: 0.9}), 2)) == prose


def test_what_the_champion_got_wrong_comes_again_with_its_answer_but_never_the_exam(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, BODY)
    questions = tuple(pair.question for _, pair in parse_file(path).pairs())
    found = writing.hints(parse_file(path), card(path, known={}, wrong=questions))
    assert [hint.text for hint in found] == [
        "It hangs inside the drainpipe.",
        "How many lockers are there? nine",
    ]
    assert len({hint.key for hint in found}) == 2
    assert writing.hints(parse_file(path), card(path, known={})) == ()


@pytest.mark.parametrize(
    ("strategy", "teacher", "refreshes", "parts"),
    [
        (Strategy.EXTRACTION, "self:v0001", 1, 1),
        (Strategy.BACKTRANSLATE, "self:v0001", 1, 2),
        (Strategy.BACKTRANSLATE, "base", 2, 3),
        (Strategy.BACKTRANSLATE, "cli:teach", 1, 1),
        (Strategy.BACKTRANSLATE, "self:v0001", 0, 1),
        (Strategy.BACKTRANSLATE, "self:v0001", 16, 5),
    ],
)
def test_only_a_sampler_of_our_own_is_refreshed(
    strategy: Strategy, teacher: str, refreshes: int, parts: int
) -> None:
    sections = ["a", "b", "c", "d", "e"]
    found = writing.parts_of(
        sections, strategy, ImproveOptions(refresh_per_round=refreshes), teacher
    )
    assert len(found) == parts
    assert sorted(section for part in found for section in part) == sections


def test_a_renamed_plan_is_the_same_pairs_as_another_run(tmp_path: Path) -> None:
    document = parse_file(written(tmp_path))
    plan = plan_of(document, 'Says it run="old"?', 'It says ="old".', "old")
    again = plan.renamed("new")
    after = applied(document, again)
    assert [(pair.question, pair.answer) for _, pair in after.pairs()] == [
        ('Says it run="old"?', 'It says ="old".')
    ]
    section = next(section for section, _ in after.pairs())
    assert section.provenance is not None
    assert section.provenance.run == "new"
    assert reverted(after, [section.provenance.origin], "new").document.text == document.text


def test_only_a_refused_round_that_did_no_harm_hands_its_pairs_on(tmp_path: Path) -> None:
    path = written(tmp_path)
    with opened(path) as store:
        begun(store, path)
        one = decided(store, path, 1, promote=False)
    refused = replace(one, step=Step.REFUSED, facts={**one.facts, "harmless": True})
    document = parse_file(path)
    given = writing.handed_on(document, [refused], "next")
    assert given is not None
    assert (given.run, len(given)) == ("next", 1)
    others: list[Round] = [
        replace(refused, facts={**refused.facts, "harmless": False}),
        replace(refused, step=Step.PROMOTED),
    ]
    for other in others:
        assert writing.handed_on(document, [other], "next") is None
    assert writing.handed_on(document, [], "next") is None
    path.write_bytes(path.read_bytes().replace(b"nine lockers", b"ten lockers"))
    assert writing.handed_on(parse_file(path), [refused], "next") is None


def test_what_a_round_writes_and_mines_is_one_run_that_can_be_taken_back(tmp_path: Path) -> None:
    path = written(tmp_path, BODY)
    with opened(path) as store:
        begun(store, path)
        one = decided(store, path, 1)
    document = parse_file(path)
    after = document.sections[0].section_id
    mined = Addition(
        Provenance(Origin.MINED, by="sway", run="mine-1", at=AT, derived_from=after),
        triples=(NewTriple("How many lockers are there?", "nine", "seven"),),
        after=after,
    )
    triple = EditPlan("mine-1", Origin.MINED, "sway", AT, document.sha256, (mined,))
    pair = plan_of(document, "Which boat is blue?", "The blue boat is Marigold.", one.name)
    parts = [plan_to_json(plan) for plan in (pair, triple.renamed(one.name))]
    plan = together(one, [{"plan": part} for part in parts], document)
    assert writing.brings(plan) == "1 pair and 1 triple"
    longer = applied(document, plan)
    assert len(longer.sections) == len(document.sections) + 2
    both = reverted(longer, [Origin.SYNTHESIZED, Origin.MINED], one.name)
    assert both.document.text == document.text
