"""The part of Go's templates that a Modelfile is made of."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from dlm.errors import DlmError
from dlm.export.ollama import literal, render

CHATML = (
    "{{ if .System }}<s>{{ .System }}</s>\n{{ end }}<u>{{ .Prompt }}</u>\n<a>{{ .Response }}</a>\n"
)


def test_the_prompt_ends_where_the_answer_begins() -> None:
    assert render(CHATML, "", (), "Why?") == "<u>Why?</u>\n<a>"


def test_the_system_message_stands_before_the_first_round_only() -> None:
    text = render(CHATML, "Be brief.", [("One?", "Two.")], "Three?")
    assert text == "<s>Be brief.</s>\n<u>One?</u>\n<a>Two.</a>\n<u>Three?</u>\n<a>"


@given(st.text(), st.text())
def test_any_text_and_any_question_come_through(text: str, question: str) -> None:
    template = f"{literal(text)}{{{{ .Prompt }}}}{{{{ .Response }}}}"
    assert render(template, "", (), question) == text + question


@pytest.mark.parametrize(
    "template",
    ["{{ .Prompt }}", "{{ range .Messages }}{{ .Response }}", "{{ if .System }}{{ .Response }}"],
)
def test_anything_else_is_refused(template: str) -> None:
    with pytest.raises(DlmError):
        render(template, "", (), "Why?")
