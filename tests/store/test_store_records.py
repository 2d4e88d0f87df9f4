from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from store_kit import run_record

from dlm.store.records import (
    PointerMove,
    RunRecord,
    from_json,
    moment,
    to_json,
    version_name,
    version_number,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"))
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
instants = st.datetimes(timezones=st.just(UTC))


@given(st.dictionaries(text, plain, max_size=4), st.dictionaries(text, plain), instants, text)
def test_a_run_survives_json(
    config: dict[str, Any], figures: dict[str, Any], at: datetime, path: str
) -> None:
    run = replace(
        run_record("r1"), config=config, figures=figures, started_at=at, document_path=path
    )
    assert from_json(RunRecord, json.loads(json.dumps(to_json(run)))) == run


def test_a_pointer_move_survives_json() -> None:
    move = PointerMove(datetime(2026, 1, 2, tzinfo=UTC), None, "v0001", "commit")
    assert PointerMove.from_json(json.loads(json.dumps(move.to_json()))) == move


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (np.float64("nan"), None),
        ((1, 2), [1, 2]),
        ({3: "x"}, {"3": "x"}),
        (Path("a/b"), "a/b"),
        ("\udcff", "?"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
    ],
)
def test_no_figure_is_odd_enough_to_lose_a_training(value: Any, written: Any) -> None:
    data = to_json(replace(run_record("r1"), figures={"x": value}))
    assert json.loads(json.dumps(data, allow_nan=False))["figures"] == {"x": written}


@pytest.mark.parametrize("broken", [{}, {"run_id": "r"}, {**to_json(run_record("r")), "config": 3}])
def test_json_of_another_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(RunRecord, broken)


@given(st.integers(1, 99_999))
def test_a_name_gives_its_number_back(number: int) -> None:
    assert version_number(version_name(number)) == number


@pytest.mark.parametrize(("name", "number"), [("v0003", 3), ("v3", 3), ("3", 3), (" v0010\n", 10)])
def test_people_may_write_a_version_shortly(name: str, number: int) -> None:
    assert version_number(name) == number


@pytest.mark.parametrize("name", ["", "v", "latest", "v-1", "v1.5", "v٣", "w0001"])
def test_other_words_are_no_version(name: str) -> None:
    assert version_number(name) is None


def test_times_are_kept_in_utc() -> None:
    assert moment("2026-05-04T14:00:00+02:00") == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert moment("2026-05-04T12:00:00").tzinfo is UTC
    east = timezone(timedelta(hours=2))
    run = replace(run_record("r1"), started_at=datetime(2026, 5, 4, 14, tzinfo=east))
    assert to_json(run)["started_at"] == "2026-05-04T12:00:00+00:00"
