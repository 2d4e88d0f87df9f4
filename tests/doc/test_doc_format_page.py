"""The page about the format names every key with its default and its range."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from dlm.doc.frontmatter import submodel
from dlm.doc.provenance import Origin, Provenance, format_marker
from dlm.doc.schema import KNOWN_ELSEWHERE, Frontmatter
from dlm.doc.settings import render_value

PAGE = Path(__file__).parents[2].joinpath("docs", "format.md").read_text(encoding="utf-8")


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for key, field in model.model_fields.items():
        inner = submodel(model, key)
        if inner is not None:
            yield from keys(inner, f"{prefix}{key}.")
            continue
        default = "" if field.default is PydanticUndefined else render_value(field.default)
        yield f"{prefix}{key}", default, field.description or ""


def test_the_table_of_keys_is_that_of_the_schema() -> None:
    table = re.findall(
        r"(?m)^\| `([a-z_.]+)` \| (.*?) ?\| (.*) \|$", PAGE.split("## Frontmatter")[1]
    )
    assert table == list(keys(Frontmatter))


def test_every_key_of_other_tools_is_named() -> None:
    for path in KNOWN_ELSEWHERE:
        assert f"`{path[-1]}`" in PAGE


def test_every_marker_is_named() -> None:
    for origin in Origin:
        word = format_marker(Provenance(origin)).split()[1].rstrip(":")
        assert f"`{word}`" in PAGE
