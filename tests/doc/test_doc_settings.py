"""Setting a key of the frontmatter: the text after it, character for character."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from strategies import DLM_ID

from dlm.doc.parser import parse_text
from dlm.doc.yaml_tree import Scalar
from dlm.errors import DocumentError

HEAD = f"---\ndlm_id: {DLM_ID}\nbase_model: pocket\n"


def after(lines: str, key: str, value: Scalar | list[Scalar], newline: str = "\n") -> str:
    text = f"{HEAD}{lines}---\nText.\n".replace("\n", newline)
    document = parse_text(text)
    edited = document.apply([document.set_key(key, value)]).text
    prefix, suffix = HEAD.replace("\n", newline), f"---{newline}Text.{newline}"
    assert edited.startswith(prefix)
    assert edited.endswith(suffix)
    return edited[len(prefix) : -len(suffix)]


@pytest.mark.parametrize(
    ("lines", "key", "value", "expected"),
    [
        ("", "dlm_version", 15, "dlm_version: 15\n"),
        ("", "training.trust.mined", 0.25, "training:\n  trust:\n    mined: 0.25\n"),
        ("training:\n", "training.seed", 7, "training:\n  seed: 7\n"),
        ("training: # none\n# end\n", "training.seed", 7, "training: # none\n  seed: 7\n# end\n"),
        ("training: ~ # none\n", "training.seed", 7, "training: {seed: 7} # none\n"),
        ("training: {}\n", "training.seed", 7, "training: {seed: 7}\n"),
        (
            "training: {lora_r: 8, }  # x\n",
            "training.trust.mined",
            1.0,
            "training: {lora_r: 8, trust: {mined: 1.0}, }  # x\n",
        ),
        (
            "training:\n    # first\n    lora_r:  8  # small\n\n# end\n",
            "training.seed",
            7,
            "training:\n    # first\n    lora_r:  8  # small\n    seed: 7\n\n# end\n",
        ),
        (
            "training:\n  lora_r:  8  # small\n",
            "training.lora_r",
            16,
            "training:\n  lora_r:  16  # small\n",
        ),
        ("training:\n  max_steps:\n", "training.max_steps", 5, "training:\n  max_steps: 5\n"),
        (
            "training:\n  target_modules:\n    - a # x\n    - b\n  # y\n  seed: 1\n",
            "training.target_modules",
            ["c"],
            "training:\n  target_modules: [c]\n  # y\n  seed: 1\n",
        ),
        (
            "training:\n  target_modules:\n  - a\n",
            "training.seed",
            1,
            "training:\n  target_modules:\n  - a\n  seed: 1\n",
        ),
        (
            "system_prompt: |\n  One.\n\n  Two.\n\ntraining:\n  seed: 1\n",
            "system_prompt",
            "No.",
            "system_prompt: No.\ntraining:\n  seed: 1\n",
        ),
        (
            "system_prompt: |+\n  One.\n\n# end\n",
            "training.seed",
            1,
            "system_prompt: |+\n  One.\n\ntraining:\n  seed: 1\n# end\n",
        ),
        ("system_prompt: 'One'\n", "system_prompt", "it's", "system_prompt: 'it''s'\n"),
        ('system_prompt: "One"\n', "system_prompt", "Two", 'system_prompt: "Two"\n'),
        ("system_prompt: One\n", "system_prompt", "Two", "system_prompt: Two\n"),
        ("system_prompt: One\n", "system_prompt", "no", 'system_prompt: "no"\n'),
        ("system_prompt: One\n", "system_prompt", "12", 'system_prompt: "12"\n'),
        (
            "export:\n  default_quant: Q4\n",
            "export.default_quant",
            "Q8",
            "export:\n  default_quant: Q8\n",
        ),
        (
            "training:\n  learning_rate: auto\n",
            "training.learning_rate",
            2e-05,
            "training:\n  learning_rate: 2.0e-05\n",
        ),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_key_changes(
    lines: str, key: str, value: Scalar | list[Scalar], expected: str, newline: str
) -> None:
    assert after(lines, key, value, newline) == expected.replace("\n", newline)


@settings(deadline=None, max_examples=80)
@given(st.text(st.characters(exclude_categories=("Cs",))), st.sampled_from(("", "x", "'x'", '"x"')))
def test_any_text_can_be_a_system_prompt(prompt: str, before: str) -> None:
    document = parse_text(f"{HEAD}system_prompt: {before}\n---\n")
    edited = document.apply([document.set_key("system_prompt", prompt)])
    assert edited.frontmatter.system_prompt == prompt


@pytest.mark.parametrize(
    ("lines", "key", "value", "message"),
    [
        ("", "training.sed", 7, "'training.sed' is not a key of a document"),
        ("", "training", 7, "'training' is a mapping"),
        ("", "training.seed.x", 7, "'training.seed.x' is not a key of a document"),
        ("", "training.seed", -1, "training.seed must be a whole number from 0"),
        ("", "training.seed", "7", "training.seed must be a whole number from 0"),
        ("", "dlm_version", 99, "newer than this parser"),
        ("export: 5\n", "export.default_quant", "Q8", "export is not a mapping"),
        ("export: {a: 1}\n", "export", "Q8", "export is a mapping"),
        ("", "base_model", None, "base_model must be the name of a base model"),
        (
            "training: {target_modules: &m [a]}\nexport: *m\n",
            "training.target_modules",
            ["b"],
            "names nothing above it",
        ),
    ],
)
def test_what_cannot_be_set_is_refused(lines: str, key: str, value: Scalar, message: str) -> None:
    document = parse_text(f"{HEAD}{lines}---\n")
    with pytest.raises(DocumentError) as caught:
        document.set_key(key, value)
    assert message in str(caught.value)


def test_a_misspelt_key_is_guessed() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_text(f"{HEAD}---\n").set_key("training.sed", 7)
    assert caught.value.hint == "did you mean 'seed'?"
