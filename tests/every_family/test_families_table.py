"""The table of families agrees with the registry, and with the tests that passed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from family_kit import FAMILIES

from dlm.base_models import BASE_MODELS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "families_table", ROOT / "scripts" / "families_table.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_base_of_the_registry_is_of_a_family_that_is_tested() -> None:
    tested = [key for family in FAMILIES.values() for key in family.bases]
    assert sorted([*tested, "pocket"]) == sorted(BASE_MODELS)
    for family in FAMILIES.values():
        for key in family.bases:
            name = family.config.removesuffix("Config").removesuffix("Text")
            assert BASE_MODELS[key].architecture == f"{name}ForCausalLM"


def test_the_page_says_what_passed(script: ModuleType) -> None:
    """`scripts/families_table.py` runs the tests and writes both anew."""
    assert script.PAGE.read_text("utf-8") == script.page()
    passed = json.loads(script.PASSED.read_text("utf-8"))
    assert set(passed) == set(FAMILIES)
    assert all(set(tests) == set(script.COLUMNS.values()) for tests in passed.values())
