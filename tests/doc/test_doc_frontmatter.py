"""The frontmatter: defaults, and what no text may do to the reader."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError
from strategies import DLM_ID

from dlm.doc.frontmatter import submodel
from dlm.doc.parser import parse_text
from dlm.doc.schema import CURRENT_SCHEMA_VERSION, Frontmatter
from dlm.doc.yaml_tree import scalar_value
from dlm.errors import DocumentError


def document(*lines: str) -> str:
    return "\n".join(("---", f"dlm_id: {DLM_ID}", "base_model: pocket", *lines, "---", ""))


def test_the_defaults_are_those_the_format_names() -> None:
    values = parse_text(document()).frontmatter
    training = values.training
    assert (values.dlm_version, CURRENT_SCHEMA_VERSION) == (1, 15)
    assert values.system_prompt is None
    assert (training.adapter, training.lora_r, training.lora_alpha) == ("lora", 16, 32)
    assert training.learning_rate == training.num_epochs == training.sequence_len == "auto"
    assert (training.lr_scheduler, training.warmup_ratio, training.seed) == ("linear", 0.05, 42)
    assert (training.max_steps, training.precision, training.keep_last_n) == (None, "auto", 10)
    assert training.trust.model_dump() == {
        "authored": 1.0,
        "harvested": 1.0,
        "synthesized": 0.5,
        "mined": 0.5,
        "pushed": 1.0,
        "imported": 0.5,
    }
    assert training.rehearsal.model_dump() == {"enabled": True, "share": "auto"}


def test_values_are_read_as_yaml_means_them() -> None:
    text = document(
        "system_prompt: |",
        "  Be kind.",
        "training:",
        "  learning_rate: 2e-4",
        "  lora_dropout: 0",
        "  max_steps: null",
        "  target_modules:",
        "    - q_proj",
        "    - 'v_proj'",
        "  trust:",
    )
    values = parse_text(text).frontmatter
    assert values.system_prompt == "Be kind.\n"
    assert values.training.learning_rate == 0.0002
    assert values.training.lora_dropout == 0
    assert values.training.target_modules == ["q_proj", "v_proj"]
    assert values.training.trust.mined == 0.5


def test_the_values_cannot_be_changed() -> None:
    values = parse_text(document()).frontmatter
    with pytest.raises(ValidationError):
        values.base_model = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("no", "no"),
        ("TRUE", True),
        ("-12", -12),
        ("012", 12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("9" * 41, 1e41),
        ("1_000", "1_000"),
    ],
)
def test_an_unquoted_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    found = scalar_value(text)
    assert (found, type(found)) == (value, type(value))


HOSTILE = {
    "deep": "x: " + "[" * 50_000,
    "deep maps": "x: " + "{a: " * 20_000,
    "bomb": "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(12)
    ),
    "many": "x: [" + "1," * 20_000 + "]",
    "long": "x: " + "y" * 200_000,
    "wide": "".join(f"k{n}: 1\n" for n in range(12_000)),
    "open quote": 'x: "' + "y " * 60_000,
    "spaces": "x:" + " " * 120_000 + "'",
    "dashes": "- " * 60_000,
    "questions": "? " * 60_000,
    "digits": "dlm_version: " + "9" * 100_000,
    "directive": "%YAML 99999999999999999999.1\nx: 1",
    "tab": "training:\n\tseed: 1",
    "control": "x: \x07",
    "escape": 'x: "\\UFFFFFFFF"',
    "hex escape": 'x: "\\xZZ"',
    "merge": "training: {<<: {seed: 1}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_soon_and_with_its_place(name: str) -> None:
    start = time.process_time()
    with pytest.raises(DocumentError) as caught:
        parse_text(f"---\n{HOSTILE[name]}\n---\n", path=None)
    assert caught.value.at is not None
    assert time.process_time() - start < 10


def test_every_field_says_what_it_must_be() -> None:
    for path, model in models(Frontmatter, "frontmatter"):
        for key, field in model.model_fields.items():
            assert field.description, f"{path}.{key}"


def models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for key in model.model_fields:
        inner = submodel(model, key)
        if inner is not None:
            yield from models(inner, f"{path}.{key}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("learning_rate", value) for value in ("0", "-0.001", "3", "1e-12", "1e30", ".nan")),
        *(("num_epochs", value) for value in ("0", "-1", "2.5", "100000", "many")),
        *(("micro_batch_size", value) for value in ("0", "-4", "100000")),
        *(("grad_accum", value) for value in ("0", "4096")),
        *(("lora_r", value) for value in ("0", "-8", "1000", "16.0")),
        *(("lora_alpha", value) for value in ("0", "1000000")),
        *(("sequence_len", value) for value in ("0", "8", "1000000")),
        *(("max_steps", value) for value in ("0", "-1", "99999999999999999999")),
        *(("keep_last_n", value) for value in ("0", "99999999999999999999")),
        *(("warmup_ratio", value) for value in ("-0.1", "1.5", "10%")),
        *(("target_modules", value) for value in ("[]", "q_proj", "[1]", "all-linear")),
        *(("seed", value) for value in ("-1", "99999999999999999999")),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_its_line(key: str, value: str) -> None:
    text = document("training:", f"  {key}: {value}")
    with pytest.raises(DocumentError, match=rf"<text>:5:{len(key) + 5}: training\.{key} must be"):
        parse_text(text)
