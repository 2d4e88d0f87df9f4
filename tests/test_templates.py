"""The texts that a new document can start from."""

from __future__ import annotations

import pytest

from dlm.base_models import BASE_MODELS
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.doc.sections import PairRole
from dlm.templates.registry import Template, list_bundled

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n\n"
EVERY = pytest.mark.parametrize("template", list_bundled(), ids=lambda template: template.name)


def _document(template: Template) -> Document:
    return parse_text(HEAD + template.body)


def test_the_four_templates_are_there_and_the_starter_comes_first() -> None:
    names = [template.name for template in list_bundled()]
    assert names == ["starter", "manual", "meeting-notes", "code-handbook"]


@EVERY
def test_a_template_is_a_document_without_warnings(template: Template) -> None:
    document = _document(template)
    assert document.warnings == ()
    assert {section.type.value for section in document.sections} == {"prose", "instruction"}
    assert sum(pair.role is not PairRole.EXAM for _, pair in document.pairs()) >= 3
    assert any(pair.role is PairRole.PROBE for _, pair in document.pairs())


@EVERY
def test_a_template_shows_sections_that_are_closed(template: Template) -> None:
    opened = [line for line in template.body.split("\n") if line.startswith("::i")]
    assert template.body.split("\n").count("::") == len(opened)
    assert template.body.endswith("\n")
    assert "\r" not in template.body


@EVERY
def test_sample_prompts_are_questions_the_template_answers(template: Template) -> None:
    asked = {pair.question for _, pair in _document(template).pairs()}
    assert set(template.sample_prompts) <= asked


@EVERY
def test_a_template_recommends_a_base_that_anybody_can_have(template: Template) -> None:
    assert not BASE_MODELS[template.recommended_base].requires_acceptance
    assert template.title
    assert template.summary.endswith(".")
    assert template.domain_tags
