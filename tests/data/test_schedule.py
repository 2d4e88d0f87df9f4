"""The order of rows: complete, fresh, reproducible."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from dlm.data.lessons import Lesson, Role
from dlm.data.rows import Row, RowKind
from dlm.data.schedule import Material, Mixture, build_schedule, recency


def _row(
    kind: RowKind, name: str, length: int = 6, *, origin: str = "", role: Role = Role.TRAIN
) -> Row:
    lesson = Lesson("text", "question?", origin=origin, section_id=name, role=role)
    return Row(kind, tuple(range(length)), (True,) * length, lesson)


def _of(row: Row, **told: str | Role) -> Row:
    return replace(row, lesson=replace(row.lesson, **told))  # type: ignore[arg-type]


def _same(row: Row, rng: random.Random) -> Row:
    return row


PAIRS = [_row(RowKind.PAIR, f"p{i}", 4 + i) for i in range(7)]
PROSE = [_row(RowKind.PROSE, f"t{i}", 30) for i in range(3)]
GENERAL = [_row(RowKind.GENERAL, f"g{i}", 20) for i in range(40)]
MATERIAL = Material(PAIRS, PROSE, general=GENERAL)


def _epochs(mixture: Mixture, epochs: int = 6, seed: int = 1) -> list[list[Row]]:
    return _epochs_of(MATERIAL, mixture, epochs, seed)


def _epochs_of(material: Material, mixture: Mixture, epochs: int, seed: int = 1) -> list[list[Row]]:
    schedule = build_schedule(material, _same, mixture, epochs=epochs, seed=seed)
    starts = [0, *schedule.epoch_ends[:-1]]
    size = mixture.rows_per_step
    return [
        list(schedule.rows[start * size : end * size])
        for start, end in zip(starts, schedule.epoch_ends, strict=True)
    ]


@given(size=st.integers(1, 9), rewordings=st.integers(0, 3), seed=st.integers(0, 99))
def test_every_epoch_holds_every_pair_and_whole_steps(
    size: int, rewordings: int, seed: int
) -> None:
    for rows in _epochs(Mixture(size, rewordings=rewordings), seed=seed):
        counts = Counter(row.lesson.section_id for row in rows)
        assert len(rows) % size == 0
        assert all(counts[row.lesson.section_id] >= 1 + rewordings for row in PAIRS)


def test_general_rows_do_not_repeat_before_all_were_seen() -> None:
    seen = [
        row.lesson.section_id
        for rows in _epochs(Mixture(4), epochs=4)
        for row in rows
        if row.kind is RowKind.GENERAL
    ]
    assert len(seen) <= len(GENERAL)
    assert len(set(seen)) == len(seen)


def test_general_rows_keep_to_their_share_of_the_tokens() -> None:
    for rows in _epochs(Mixture(4, general_share=0.25)):
        tokens = Counter[RowKind]()
        for row in rows:
            tokens[row.kind] += len(row.ids)
        own = tokens[RowKind.PAIR] + tokens[RowKind.PROSE]
        assert tokens[RowKind.GENERAL] <= own / 3 + 20


def test_no_rehearsal_means_no_general_rows() -> None:
    rows = [row for epoch in _epochs(Mixture(4, general_share=0.0)) for row in epoch]
    assert all(row.kind is not RowKind.GENERAL for row in rows)


def test_prose_comes_in_every_third_epoch_beside_pairs() -> None:
    has_prose = [any(row.kind is RowKind.PROSE for row in rows) for rows in _epochs(Mixture(4))]
    assert has_prose[0]
    assert has_prose[3]
    prose = [sum(row.kind is RowKind.PROSE for row in rows) for rows in _epochs(Mixture(1))]
    assert prose == [3, 0, 0, 3, 0, 0]


def test_the_seed_decides_the_order_and_nothing_else_does() -> None:
    assert _epochs(Mixture(4), seed=3) == _epochs(Mixture(4), seed=3)
    assert _epochs(Mixture(4), seed=3) != _epochs(Mixture(4), seed=4)


def test_prose_alone_is_in_every_epoch() -> None:
    schedule = build_schedule(Material(prose=PROSE), _same, Mixture(2), epochs=3, seed=0)
    assert Counter(row.lesson.section_id for row in schedule.rows)["t0"] >= 3


def _old(count: int, origin: str = "authored", length: int = 10) -> list[Row]:
    return [
        _row(RowKind.PAIR, f"{origin}{i}", length, origin=origin, role=Role.REPLAY)
        for i in range(count)
    ]


def _shares(material: Material, mixture: Mixture, epochs: int = 8) -> Iterator[Counter[str]]:
    schedule = build_schedule(material, _same, mixture, epochs=epochs, seed=5)
    start = 0
    for end in schedule.epoch_ends:
        tokens = Counter[str]()
        for row in schedule.rows[start * mixture.rows_per_step : end * mixture.rows_per_step]:
            tokens[f"{row.lesson.origin or 'new'} {row.lesson.role.value}"] += len(row.ids)
        yield tokens
        start = end


@given(new=st.integers(1, 30), old=st.integers(0, 200), share=st.sampled_from([0.1, 0.3, 0.5]))
def test_replay_never_swamps_what_is_new(new: int, old: int, share: float) -> None:
    pairs = [_row(RowKind.PAIR, f"n{i}", 10) for i in range(new)]
    material = Material(pairs, replay=_old(old), recency=[1.0] * old)
    for tokens in _shares(material, Mixture(8, replay_share=share)):
        assert tokens["authored replay"] <= tokens["new train"]


def test_a_one_pair_edit_still_brings_known_pairs_along() -> None:
    material = Material(PAIRS[:1], replay=_old(200), recency=[1.0] * 200)
    seen = Counter[str]()
    for rows in _epochs_of(material, Mixture(8), 40):
        known = [row.lesson.section_id for row in rows if row.replayed]
        assert known
        seen.update(known)
    assert max(seen.values()) == 1, "none comes twice before all came once"


def test_recent_items_come_first() -> None:
    material = Material(PAIRS, replay=_old(100), recency=[recency(0)] * 10 + [recency(99)] * 90)
    first = _epochs_of(material, Mixture(8), 1)[0]
    drawn = [row.lesson.section_id for row in first if row.replayed]
    recent = {f"authored{i}" for i in range(10)}
    assert len(recent & set(drawn)) / len(drawn) > 0.2, "more than their tenth of the pool"


def test_no_share_means_no_replay() -> None:
    material = Material(PAIRS, replay=_old(9), recency=[1.0] * 9)
    assert all(
        not row.replayed
        for rows in _epochs_of(material, Mixture(8, replay_share=0.0), 4)
        for row in rows
    )


@given(synthetic=st.integers(1, 40), authored=st.integers(1, 10), known=st.integers(0, 30))
def test_authored_text_holds_its_share_against_synthetic(
    synthetic: int, authored: int, known: int
) -> None:
    pairs = [
        *(_row(RowKind.PAIR, f"s{i}", 10, origin="synthesized") for i in range(synthetic)),
        *(_row(RowKind.PAIR, f"a{i}", 10, origin="authored") for i in range(authored)),
    ]
    material = Material(pairs, replay=_old(known), recency=[1.0] * known)
    for tokens in _shares(material, Mixture(1, general_share=0.0), 3):
        real = tokens["authored train"] + tokens["authored replay"]
        assert real >= 0.35 * (real + tokens["synthesized train"])


def test_where_nothing_is_authored_nothing_can_be_added() -> None:
    pairs = [_of(row, origin="synthesized") for row in PAIRS]
    for tokens in _shares(Material(pairs), Mixture(1, general_share=0.0), 2):
        assert set(tokens) == {"synthesized train"}


def test_sentences_come_in_every_epoch_and_take_turns_where_they_are_many() -> None:
    sentences = [_row(RowKind.SENTENCE, f"s{i}") for i in range(10)]
    material = Material(PAIRS, PROSE, sentences=sentences, general=GENERAL)
    for rows in _epochs_of(material, Mixture(1), 4):
        assert sum(row.kind is RowKind.SENTENCE for row in rows) == 10
    seen = [
        row.lesson.section_id
        for rows in _epochs_of(material, Mixture(1, most_cued=3), 10)
        for row in rows
        if row.kind is RowKind.SENTENCE
    ]
    assert Counter(seen) == Counter({f"s{i}": 3 for i in range(10)})


def test_known_sentences_are_replayed_apart_from_pairs_and_text() -> None:
    old = [
        *_old(20),
        *(_row(RowKind.SENTENCE, f"s{i}", role=Role.REPLAY) for i in range(20)),
    ]
    material = Material(PAIRS, replay=old, recency=[1.0] * len(old))
    for rows in _epochs_of(material, Mixture(1, general_share=0.0), 5):
        kinds = Counter(row.kind for row in rows if row.replayed)
        assert kinds[RowKind.PAIR] >= 4
        assert kinds[RowKind.SENTENCE] >= 4


def test_without_cues_no_sentence_comes_not_even_for_the_anchor() -> None:
    synthetic = [_of(row, origin="synthesized") for row in PAIRS]
    text = [_of(row, origin="authored") for row in PROSE]
    sentences = [_row(RowKind.SENTENCE, f"s{i}", origin="authored") for i in range(9)]
    old = [_of(row, role=Role.REPLAY) for row in (*text, *sentences)]
    material = Material(synthetic, sentences=sentences, replay=old, recency=[1.0] * len(old))
    for rows in _epochs_of(material, Mixture(4, most_cued=0, real_share=0.5), 6):
        assert not [row for row in rows if row.kind is RowKind.SENTENCE]
        assert any(row.authored for row in rows)


def test_prose_may_come_in_the_first_epoch_alone() -> None:
    epochs = _epochs(Mixture(4, prose_every=0))
    held = [sum(row.kind is RowKind.PROSE for row in rows) for rows in epochs]
    assert held[0] >= len(PROSE)
    assert not any(held[1:])


def test_samples_of_the_base_may_outnumber_the_texts_of_people() -> None:
    samples = [_row(RowKind.GENERAL, f"s{i}", 20) for i in range(60)]
    material = Material(PAIRS, general=GENERAL, samples=samples)
    rows = _epochs_of(material, Mixture(4, general_share=0.5, texts_every=4), 3)
    names = [row.lesson.section_id[0] for epoch in rows for row in epoch]
    assert names.count("s") == pytest.approx(3 * names.count("g"), abs=3)
