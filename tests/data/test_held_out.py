"""The split of held-out pairs: asked for, fixed, and moved by nothing that happens elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, strategies as st

from dlm.data.lessons import Lesson, Role, lessons_of, place, split
from dlm.doc.parser import parse_text

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n{more}---\n"
PAIR = "::instruction::\n### Q{mark}\nWhat is in box {n}?\n\n### A\nBox {n} holds {n} nails.\n::\n"
SYNTH = '<!-- dlm-auto-synth: synth_teacher="self" -->\n'


def _pair(section: str, question: str, role: Role = Role.TRAIN) -> Lesson:
    return Lesson("An answer.", question, line=1, section_id=section, role=role)


def examples() -> st.SearchStrategy[list[Lesson]]:
    ids = st.text("0123456789abcdef", min_size=4, max_size=4)
    pairs = st.builds(
        Lesson,
        section_id=ids,
        origin=st.sampled_from(("authored", "authored", "synthesized")),
        line=st.integers(1, 99),
        weight=st.just(1.0),
        text=st.text(min_size=1),
        question=st.text(min_size=1),
        role=st.sampled_from((Role.TRAIN, Role.TRAIN, Role.PROBE)),
    )
    prose = st.builds(Lesson, st.text(), section_id=ids)
    return st.lists(pairs | prose, max_size=12, unique_by=lambda e: (e.section_id, e.question))


fractions = st.floats(0.0, 0.5)
seeds = st.integers(0, 2**32 - 1)


@given(examples(), examples(), fractions, seeds, st.randoms(use_true_random=False))
def test_an_edit_elsewhere_moves_no_pair_across_the_split(
    mine: list[Lesson],
    others: list[Lesson],
    fraction: float,
    seed: int,
    rng: object,
) -> None:
    anchor = _pair("anchor", "What always trains?", Role.PROBE)  # so that one pair trains
    before, held = split([anchor, *mine], fraction, seed)
    named = {(e.section_id, e.question) for e in mine}
    elsewhere = [e for e in others if (e.section_id, e.question) not in named]
    together = [*mine, *elsewhere]
    rng.shuffle(together)  # type: ignore[attr-defined]
    after, held_after = split([anchor, *together], fraction, seed)
    assert [e for e in mine if e in held_after] == held
    assert all(e in after for e in before)


@given(examples(), fractions, seeds)
def test_only_plain_authored_pairs_are_held_out_and_a_pair_always_trains(
    found: list[Lesson], fraction: float, seed: int
) -> None:
    train, held = split(found, fraction, seed)
    assert sorted(map(id, (*train, *held))) == sorted(map(id, found))
    assert all(e.role is Role.TRAIN and e.origin == "authored" for e in held)
    if any(e.question for e in found):
        assert any(e.question for e in train)


@given(examples(), st.tuples(fractions, fractions), seeds)
def test_a_larger_fraction_only_adds(
    found: list[Lesson], fractions: tuple[float, float], seed: int
) -> None:
    small, large = sorted(fractions)
    held = [split(found, fraction, seed)[1] for fraction in (small, large)]
    assume(len(held[1]) < sum(bool(e.question) for e in found) - 1)
    assert all(e in held[1] for e in held[0])


def test_about_the_fraction_is_held_out_and_the_seed_decides_which() -> None:
    pairs = [_pair(f"{n:04x}", f"What is in box {n}?") for n in range(2000)]
    _, held = split(pairs, 0.2, 42)
    assert 340 < len(held) < 460
    assert held != split(pairs, 0.2, 43)[1]
    assert all(place(e, 42) < 0.2 for e in held)


def _document(pairs: int, more: str) -> str:
    text = "".join(PAIR.format(n=n, mark="") for n in range(pairs))
    text += PAIR.format(n=900, mark=" !probe") + PAIR.format(n=901, mark=" !exam")
    synthetic = PAIR.format(n=902, mark="").replace("::\n", f"::\n{SYNTH}", 1)
    return HEAD.format(more=more) + text + synthetic


def test_nothing_is_held_out_unless_the_owner_asks() -> None:
    assert lessons_of(parse_text(_document(20, ""))).held_out == ()


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_what_is_held_out_does_not_train(fraction: float) -> None:
    more = f"training:\n  held_out: {fraction}\n"
    lessons = lessons_of(parse_text(_document(40, more)))
    held = {e.question for e in lessons.held_out}
    assert held
    assert not held & {e.question for e in lessons.train}
    assert len(lessons.held_out) + len(lessons.pairs) == 42
    lines = [e.line for e in lessons.held_out]
    assert lines == sorted(lines)


def test_of_two_pairs_that_would_both_be_held_out_one_trains() -> None:
    pair = next(
        [one, two]
        for one in (_pair("s", f"One {n}?") for n in range(99))
        for two in [_pair("t", f"Two {one.question}?")]
        if place(one, 1) < 0.5 and place(two, 1) < 0.5
    )
    train, held = split(pair, 0.5, 1)
    assert (len(train), len(held)) == (1, 1)
    assert place(held[0], 1) < place(train[0], 1)
