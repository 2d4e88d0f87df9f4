"""The language server dlm-lsp, as installed, on top of this package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dlm_lsp import server
from dlm_lsp.code_actions import compute_code_actions
from dlm_lsp.commands import execute_command
from dlm_lsp.completions import compute_completions
from dlm_lsp.diagnostics import compute_diagnostics
from dlm_lsp.doc_state import DocumentState, StateStore
from dlm_lsp.hover import compute_hover
from lsprotocol import types as lsp

from dlm.base_models import BASE_MODELS
from dlm.doc.parser import parse_text
from dlm.doc.schema import CURRENT_SCHEMA_VERSION
from dlm.store.manifest import load_manifest
from dlm.store.paths import for_dlm
from dlm.store.store import Store
from dlm.templates.registry import list_bundled

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
URI = "file:///notes.dlm"
TEXT = f"""\
---
dlm_id: {ID}
dlm_version: {CURRENT_SCHEMA_VERSION}
base_model: smollm2-135m
---

# Notes

::instruction#lamp::
### Q
When is the lamp lit?
### A
At dusk.
::

::preference::
### Prompt
Greet me.
### Chosen
Good evening.
### Rejected
Hi.
::
"""

BASE_FACTS = (
    "key",
    "hf_id",
    "params",
    "size_gb_fp16",
    "context_length",
    "modality",
    "license_spdx",
    "requires_acceptance",
)


def _state(text: str = TEXT) -> DocumentState:
    return DocumentState(uri=URI, text=text)


def _line(text: str, start: str) -> int:
    return next(n for n, line in enumerate(text.splitlines()) if line.startswith(start))


def _at(text: str, start: str) -> lsp.Position:
    return lsp.Position(line=_line(text, start), character=len(start))


@pytest.fixture
def language_server() -> server.DlmLanguageServer:
    running = server.DlmLanguageServer()
    running.state = StateStore()
    return running


def test_a_good_document_has_no_diagnostics() -> None:
    assert compute_diagnostics(_state()) == []


def test_a_mistyped_section_is_marked_on_its_line_with_the_right_spelling() -> None:
    text = TEXT.replace("::preference::", "::preferense::")
    (found,) = compute_diagnostics(_state(text))
    assert found.severity == lsp.DiagnosticSeverity.Error
    assert found.range.start.line == _line(text, "::preferense::")
    assert "preferense" in found.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("### A\nAt dusk.\n", ""),
        ("### Chosen\nGood evening.\n", ""),
        ("base_model: smollm2-135m\n", ""),
        (f"dlm_id: {ID}", "dlm_id: [not, an, id]"),
        (f"dlm_id: {ID}", "dlm_id: {unclosed"),
    ],
)
def test_every_kind_of_error_carries_a_line_that_the_editor_finds(old: str, new: str) -> None:
    text = TEXT.replace(old, new)
    assert text != TEXT
    errors = [
        item
        for item in compute_diagnostics(_state(text))
        if "frontmatter block" not in item.message
    ]
    assert len(errors) == 1
    assert errors[0].message.split(":", 1)[0] == "<text>"
    assert errors[0].range.start.line == int(errors[0].message.split(":")[1]) - 1


def test_an_unknown_base_is_marked_and_the_quick_fix_gives_a_document_that_parses() -> None:
    text = TEXT.replace("smollm2-135m", "smollm2-135x")
    state = _state(text)
    (found,) = compute_diagnostics(state)
    assert "Unknown base model" in found.message
    (action,) = compute_code_actions(state, found.range, [found])
    assert action.edit is not None
    assert action.edit.changes is not None
    (edit,) = action.edit.changes[URI]
    lines = text.split("\n")
    lines[edit.range.start.line] = edit.new_text
    fixed = parse_text("\n".join(lines))
    assert fixed.frontmatter.base_model in BASE_MODELS


def test_a_newer_document_is_refused_and_the_editor_offers_to_migrate() -> None:
    newer = TEXT.replace(
        f"dlm_version: {CURRENT_SCHEMA_VERSION}", f"dlm_version: {CURRENT_SCHEMA_VERSION + 1}"
    )
    state = _state(newer)
    (found,) = compute_diagnostics(state)
    assert "newer than this parser" in found.message
    titles = [item.title for item in compute_code_actions(state, found.range, [found])]
    assert titles == ["Run `dlm migrate` to update schema"]


def test_an_older_document_is_offered_a_migration_to_the_present_version() -> None:
    older = TEXT.replace(f"dlm_version: {CURRENT_SCHEMA_VERSION}", "dlm_version: 1")
    nowhere = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
    (action,) = compute_code_actions(_state(older), nowhere, [])
    assert action.title == f"Migrate schema to v{CURRENT_SCHEMA_VERSION}"
    assert compute_code_actions(_state(), nowhere, []) == []


def test_completion_offers_every_base_with_its_size_and_licence() -> None:
    found = compute_completions(_state(), _at(TEXT, "base_model:"))
    assert found is not None
    assert {item.label for item in found.items} == set(BASE_MODELS)
    smol = next(item for item in found.items if item.label == "smollm2-135m")
    assert smol.detail == "135M | 0.3 GB | ctx 8192"
    assert isinstance(smol.documentation, lsp.MarkupContent)
    assert "Apache-2.0" in smol.documentation.value


@pytest.mark.parametrize("index", range(4))
def test_every_section_that_completion_inserts_is_one_the_parser_takes(index: int) -> None:
    line = len(TEXT.splitlines()) - 1
    found = compute_completions(_state(TEXT + "::\n"), lsp.Position(line + 1, 2))
    assert found is not None
    item = found.items[index]
    snippet = str(item.insert_text)
    for number, words in enumerate(("one.png", "two", "three"), start=1):
        snippet = snippet.replace(f"${number}", words)
    document = parse_text(TEXT + snippet)
    assert document.sections[-1].type.value == item.label.strip(":")


def test_hover_over_the_base_tells_its_facts() -> None:
    found = compute_hover(_state(), _at(TEXT, "base_model:"))
    assert found is not None
    assert isinstance(found.contents, lsp.MarkupContent)
    assert "| FP16 Size | 0.3 GB |" in found.contents.value
    gated = TEXT.replace("smollm2-135m", "llama-3.2-1b")
    found = compute_hover(_state(gated), _at(gated, "base_model:"))
    assert found is not None
    assert isinstance(found.contents, lsp.MarkupContent)
    assert "(gated)" in found.contents.value


def test_opening_a_document_makes_a_store_that_this_package_opens() -> None:
    assert _state().ensure_store() is True
    assert _state().ensure_store() is False
    assert load_manifest(for_dlm(ID).manifest).base_model == "smollm2-135m"
    with Store.open(ID) as store:
        assert store.versions() == ()
        assert store.base_model == "smollm2-135m"


def test_a_broken_document_makes_no_store() -> None:
    assert _state(TEXT.replace("### A\n", "")).ensure_store() is False
    assert not for_dlm(ID).root.exists()


def _call(name: str) -> Callable[..., Any]:
    return {
        "dlm/listBaseModels": server._list_base_models,
        "dlm/listTemplates": server._list_templates,
        "dlm/documentState": server._document_state,
    }[name]


def test_the_server_lists_every_base_as_json(language_server: server.DlmLanguageServer) -> None:
    listed = _call("dlm/listBaseModels")(language_server)
    assert [item["key"] for item in listed] == list(BASE_MODELS)
    assert all(tuple(item) == BASE_FACTS for item in listed)
    assert json.loads(json.dumps(listed)) == listed


def test_the_server_lists_every_template_as_json(language_server: server.DlmLanguageServer) -> None:
    listed = _call("dlm/listTemplates")(language_server)
    assert [item["name"] for item in listed] == [item.name for item in list_bundled()]
    assert all(item["recommended_base"] in BASE_MODELS for item in listed)
    assert json.loads(json.dumps(listed)) == listed


def test_the_server_tells_the_state_of_an_open_document(
    language_server: server.DlmLanguageServer,
) -> None:
    language_server.state.open(URI, TEXT)
    told = _call("dlm/documentState")(language_server, URI)
    assert told["dlm_id"] == ID
    assert told["dlm_version"] == CURRENT_SCHEMA_VERSION
    assert told["section_counts"]["instruction"] == told["section_counts"]["preference"] == 1
    smol = BASE_MODELS["smollm2-135m"]
    assert told["base_model_spec"] == {name: getattr(smol, name) for name in BASE_FACTS}
    assert json.loads(json.dumps(told)) == told


def test_the_server_tells_the_error_of_a_broken_document(
    language_server: server.DlmLanguageServer,
) -> None:
    language_server.state.open(URI, TEXT.replace("### A\n", ""))
    told = _call("dlm/documentState")(language_server, URI)
    assert told["error"].startswith("<text>:")


def test_setting_the_base_from_the_side_panel_gives_a_document_that_parses(tmp_path: Path) -> None:
    store = StateStore()
    store.open(URI, TEXT)
    edit = execute_command(store, "dlm.setBaseModel", [URI, "qwen2.5-0.5b"])
    assert edit is not None
    assert edit.changes is not None
    (change,) = edit.changes[URI]
    lines = TEXT.split("\n")
    lines[change.range.start.line] = change.new_text
    assert parse_text("\n".join(lines)).frontmatter.base_model == "qwen2.5-0.5b"
