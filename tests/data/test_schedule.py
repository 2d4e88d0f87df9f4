"""The order of rows: complete, fresh, reproducible."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dlm.data.rows import Row, RowKind
from dlm.data.schedule import Mixture, build_schedule


def _row(kind: RowKind, name: str, length: int = 6) -> Row:
    return Row(kind, tuple(range(length)), (True,) * length, 1.0, name, 1)


def _same(row: Row, rng: random.Random) -> Row:
    return row


PAIRS = [_row(RowKind.PAIR, f"p{i}", 4 + i) for i in range(7)]
PROSE = [_row(RowKind.PROSE, f"t{i}", 30) for i in range(3)]
GENERAL = [_row(RowKind.GENERAL, f"g{i}", 20) for i in range(40)]


def _epochs(mixture: Mixture, epochs: int = 6, seed: int = 1) -> list[list[Row]]:
    schedule = build_schedule(PAIRS, PROSE, GENERAL, _same, mixture, epochs=epochs, seed=seed)
    starts = [0, *schedule.epoch_ends[:-1]]
    return [
        list(schedule.rows[start * mixture.rows_per_step : end * mixture.rows_per_step])
        for start, end in zip(starts, schedule.epoch_ends, strict=True)
    ]


@given(size=st.integers(1, 9), rewordings=st.integers(0, 3), seed=st.integers(0, 99))
def test_every_epoch_holds_every_pair_and_whole_steps(
    size: int, rewordings: int, seed: int
) -> None:
    for rows in _epochs(Mixture(size, rewordings=rewordings), seed=seed):
        counts = Counter(row.section_id for row in rows)
        assert len(rows) % size == 0
        assert all(counts[row.section_id] >= 1 + rewordings for row in PAIRS)


def test_general_rows_do_not_repeat_before_all_were_seen() -> None:
    seen = [
        row.section_id
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
    schedule = build_schedule([], PROSE, [], _same, Mixture(2), epochs=3, seed=0)
    assert Counter(row.section_id for row in schedule.rows)["t0"] >= 3
