from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save_file
from store_kit import DLM_ID, raw_safetensors, run_record, write_adapter

from dlm.errors import StoreError
from dlm.store import weights
from dlm.store.store import Store

INF, NAN, ONE = float("inf"), float("nan"), 1.0


def encoded(dtype: str, value: float) -> bytes:
    """One number in a float format, by the formats' definitions rather than by the scanner's."""
    if dtype == "BF16":
        return struct.pack("<f", value)[2:]
    if dtype == "F8_E5M2":
        return struct.pack("<e", value)[1:]
    if dtype == "F8_E4M3":
        return {INF: b"\x7f", -INF: b"\xff", ONE: b"\x38"}.get(value, b"\x7f")
    return struct.pack({"F64": "<d", "F32": "<f", "F16": "<e"}[dtype], value)


DTYPES = ["F64", "F32", "F16", "BF16", "F8_E5M2", "F8_E4M3"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("place", [0, 500, 999])
def test_one_bad_number_among_a_thousand_is_found(
    tmp_path: Path, dtype: str, bad: float, place: int
) -> None:
    numbers = [encoded(dtype, ONE)] * 1000
    raw_safetensors(tmp_path / "a.safetensors", dtype, b"".join(numbers), count=1000)
    weights.check_finite(tmp_path)
    numbers[place] = encoded(dtype, bad)
    raw_safetensors(tmp_path / "a.safetensors", dtype, b"".join(numbers), count=1000)
    with pytest.raises(StoreError, match=r"not finite: 1 of the values of lora_A.weight"):
        weights.check_finite(tmp_path)


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        ("F64", struct.pack("<d", np.finfo(np.float64).max)),
        ("F32", struct.pack("<f", float(np.finfo(np.float32).max))),
        ("F16", struct.pack("<e", 65504.0)),
        ("BF16", b"\x7f\x7f"),
        ("F8_E5M2", b"\x7b"),
        ("F8_E4M3", b"\x7e"),
    ],
)
def test_the_largest_finite_number_is_finite(tmp_path: Path, dtype: str, largest: bytes) -> None:
    raw_safetensors(tmp_path / "a.safetensors", dtype, largest, count=1)
    weights.check_finite(tmp_path)


@pytest.mark.parametrize("dtype", ["I64", "I32", "U8", "BOOL"])
def test_whole_numbers_are_finite_whatever_their_bits(tmp_path: Path, dtype: str) -> None:
    raw_safetensors(tmp_path / "a.safetensors", dtype, b"\xff" * 16, count=2)
    weights.check_finite(tmp_path)


floats = st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=2, min_side=0, max_side=6))
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors=st.dictionaries(st.sampled_from("abc"), floats, min_size=1))
def test_the_scan_agrees_with_numpy(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    save_file(tensors, str(tmp_path / "a.safetensors"), metadata={"format": "pt"})
    finite = all(np.isfinite(array).all() for array in tensors.values())
    try:
        weights.check_finite(tmp_path)
    except StoreError:
        assert not finite
    else:
        assert finite


def test_blocks_are_read_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_CHUNK_BYTES", 64)
    values = np.ones(100, np.float32)
    values[[15, 16, 99]] = np.nan
    save_file({"a": values}, str(tmp_path / "a.safetensors"))
    with pytest.raises(StoreError, match="3 of the values"):
        weights.check_finite(tmp_path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_or_garbled_file_is_an_error_of_ours(tmp_path: Path, data: st.DataObject) -> None:
    write_adapter(tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    whole = path.read_bytes()
    garbled = data.draw(
        st.integers(0, len(whole) - 1).map(lambda end: whole[:end]) | st.binary(max_size=64)
    )
    path.write_bytes(garbled)
    with pytest.raises(StoreError, match="not a whole safetensors file"):
        weights.check_finite(tmp_path)


def test_a_folder_without_weights_is_no_version() -> None:
    with Store.open(DLM_ID) as store:
        with store.new_version() as staging, pytest.raises(StoreError, match="no weights"):
            staging.commit(run_record("r1"), [])
        assert store.versions() == ()


def test_weights_that_are_not_finite_are_never_committed() -> None:
    with Store.open(DLM_ID) as store:
        with store.new_version() as staging:
            write_adapter(staging.path, value=NAN)
            with pytest.raises(StoreError, match="not finite") as refused:
                staging.commit(run_record("r1"), [])
        assert refused.value.hint
        assert (store.versions(), store.runs(), store.current()) == ((), (), None)


def test_the_digest_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for name, order in (("one", ["a", "b/c"]), ("two", ["b/c", "a"])):
        for file in order:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
    digest = weights.folder_digest(weights.file_digests(tmp_path / "one"))
    assert digest == weights.folder_digest(weights.file_digests(tmp_path / "two"))
    (tmp_path / "two" / "a").rename(tmp_path / "two" / "d")
    assert digest != weights.folder_digest(weights.file_digests(tmp_path / "two"))
