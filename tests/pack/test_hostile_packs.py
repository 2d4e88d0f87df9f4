"""Packs that were made to do harm, or damaged: each is refused, and nothing is written."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boats import DLM_ID, quiet
from hypothesis import HealthCheck, given, settings, strategies as st

from dlm.errors import DlmError
from dlm.pack.layout import BadPack, may_hold
from dlm.pack.reading import Pack
from dlm.pack.unpacking import unpack

Parts = dict[str, bytes]
Evil = Callable[[Parts, dict[str, Any]], None]


def parts_of(packed: Path) -> Parts:
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(packed: Path, evil: Evil) -> None:
    """Change members and manifest, and declare again what the members are."""
    parts = parts_of(packed)
    manifest = json.loads(parts.pop("manifest.json"))
    evil(parts, manifest)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, data in parts.items():
            archive.writestr(name, data)


def declare(parts: Parts, manifest: dict[str, Any], name: str, data: bytes) -> None:
    parts[name] = data
    digest = hashlib.sha256(data).hexdigest()
    manifest["members"][name] = {"size": len(data), "sha256": digest}


def refused(packed: Path, elsewhere: Path, match: str) -> None:
    with pytest.raises(DlmError, match=match):
        unpack(packed, elsewhere / "out", quiet)
    left = [path for path in elsewhere.rglob("*") if path.is_file()]
    assert left == []
    assert not (elsewhere / "store" / DLM_ID).exists()


@pytest.mark.parametrize(
    "name",
    [
        "../boat.dlm",
        "/etc/passwd",
        "document/../../boat.dlm",
        "document/a/b.dlm",
        "document\\boat.dlm",
        "document/c:boat.dlm",
        "document/.boat.dlm",
        "document/NUL.dlm",
        "store/../../escape.json",
        "store/adapter/versions/v0001/../../x.json",
        "store/adapter/versions/v0001/code.py",
        "store/adapter/current.txt",
        "base/modeling.py",
        "base/sub/config.json",
        "readme.txt",
    ],
)
def test_a_name_that_is_no_part_of_a_pack(name: str, packed: Path, elsewhere: Path) -> None:
    assert not may_hold(name)
    rewrite(packed, lambda parts, manifest: declare(parts, manifest, name, b"x"))
    refused(packed, elsewhere, "is no part of a pack")


def test_a_link(packed: Path, elsewhere: Path) -> None:
    parts = parts_of(packed)
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name.endswith(".dlm") else 0o100644) << 16
            archive.writestr(info, data)
    refused(packed, elsewhere, "is a link")


def test_a_member_that_is_there_twice(packed: Path, elsewhere: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("document/boat.dlm", b"another")
    refused(packed, elsewhere, "twice")


def test_a_member_that_differs_in_case_only(packed: Path, elsewhere: Path) -> None:
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("document/BOAT.dlm", b"another")
    refused(packed, elsewhere, "twice")


def test_a_member_that_is_not_declared(packed: Path, elsewhere: Path) -> None:
    rewrite(packed, lambda parts, manifest: manifest["members"].pop("store/store.sqlite3"))
    refused(packed, elsewhere, "does not hold one document and its store")


def test_a_member_that_is_missing(packed: Path, elsewhere: Path) -> None:
    rewrite(packed, lambda parts, _: parts.pop("store/adapter/versions/v0001/adapter_config.json"))
    refused(packed, elsewhere, "is missing from it")


def test_a_member_that_is_larger_than_declared(packed: Path, elsewhere: Path) -> None:
    def evil(parts: Parts, manifest: dict[str, Any]) -> None:
        parts["document/boat.dlm"] += b" " * 10_000_000

    rewrite(packed, evil)
    refused(packed, elsewhere, "not of the size")


def test_a_member_whose_header_tells_a_smaller_size_than_it_has(
    packed: Path, elsewhere: Path
) -> None:
    parts = parts_of(packed)
    small = len(parts["document/boat.dlm"])
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            bomb = name == "document/boat.dlm"
            archive.writestr(name, data + b" " * 50_000_000 if bomb else data)
        archive.getinfo("document/boat.dlm").file_size = small
    refused(packed, elsewhere, "document/boat.dlm")


def test_other_bytes_of_the_same_size(packed: Path, elsewhere: Path) -> None:
    def evil(parts: Parts, manifest: dict[str, Any]) -> None:
        name = "store/adapter/versions/v0002/adapter_model.safetensors"
        parts[name] = parts[name][:-1] + b"\x07"

    rewrite(packed, evil)
    refused(packed, elsewhere, "is not what was packed")


def test_weights_that_the_database_does_not_vouch_for(packed: Path, elsewhere: Path) -> None:
    def evil(parts: Parts, manifest: dict[str, Any]) -> None:
        name = "store/adapter/versions/v0002/adapter_model.safetensors"
        declare(parts, manifest, name, parts[name][:-1] + b"\x07")

    rewrite(packed, evil)
    refused(packed, elsewhere, "does not fit its versions")


def test_a_document_of_another_store(packed: Path, elsewhere: Path) -> None:
    def evil(parts: Parts, manifest: dict[str, Any]) -> None:
        text = parts["document/boat.dlm"].replace(DLM_ID.encode(), b"01JTHERW3N8R2T4V6X8Y0A1B2C")
        declare(parts, manifest, "document/boat.dlm", text)

    rewrite(packed, evil)
    refused(packed, elsewhere, "not the one that its store belongs to")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 99),
        ("format", "1"),
        ("members", []),
        ("members", {"document/boat.dlm": {"size": -1, "sha256": "0" * 64}}),
        ("dlm_id", 7),
        ("versions", ["v0001"]),
        ("current", "v0009"),
    ],
)
def test_a_manifest_that_is_wrong(key: str, value: object, packed: Path, elsewhere: Path) -> None:
    rewrite(packed, lambda parts, manifest: manifest.update({key: value}))
    refused(packed, elsewhere, r"boat\.dlmpack: ")


def test_an_id_that_is_no_folder(packed: Path, elsewhere: Path) -> None:
    def evil(parts: Parts, manifest: dict[str, Any]) -> None:
        manifest["dlm_id"] = "../../escape"
        text = parts["document/boat.dlm"].replace(DLM_ID.encode(), b"../../escape")
        declare(parts, manifest, "document/boat.dlm", text)

    rewrite(packed, evil)
    refused(packed, elsewhere, "dlm_id")


@pytest.mark.parametrize("text", [b"", b"PK", b"no zip at all" * 10])
def test_a_file_that_is_no_archive(text: bytes, packed: Path, elsewhere: Path) -> None:
    packed.write_bytes(text)
    refused(packed, elsewhere, "is no pack of dlm")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_damage_is_noticed_or_harmless(
    data: st.DataObject, packed: Path, tmp_path: Path
) -> None:
    whole = packed.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    damaged = whole[:at] if cut else whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :]
    broken = tmp_path / "broken.dlmpack"
    broken.write_bytes(damaged)
    try:
        with Pack(broken) as opened:
            opened.verify()
            same = {one.name: opened.read(one) for one in opened.contents.members}
    except BadPack:
        return
    with Pack(packed) as opened:
        assert same == {one.name: opened.read(one) for one in opened.contents.members}


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    for prefix in ("document/", "store/", "base/", "store/adapter/versions/v0001/", ""):
        if may_hold(f"{prefix}{name}"):
            path = Path("/safe", prefix, name)
            assert path.resolve().is_relative_to("/safe")
            assert not {"..", "."} & set(name.split("/"))
