"""Run the tests of every family of bases, and write what passed into docs/bases.md.

    uv run python scripts/families_table.py

What passed is kept in tests/every_family/passed.json, of which the table is made; a family that
failed a test has no mark there, and the script ends with 1.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "every_family"
PASSED = TESTS / "passed.json"
PAGE = ROOT / "docs" / "bases.md"
BEGIN, END = "<!-- from the tests that passed -->", "<!-- to here -->"
BLOCK = re.compile(f"{BEGIN}\n.*?{END}\n", re.S)
COLUMNS = {
    "whole cycle": "test_the_whole_cycle",
    "read as transformers reads": "test_conversations_are_read_as_transformers_reads_them",
    "answers as transformers": "test_answers_and_losses_are_those_of_transformers",
    "checkpointing, bf16": "test_gradient_checkpointing_changes_nothing_that_is_learned",
}

sys.path.insert(0, str(TESTS))


def main() -> None:
    import pytest

    found = Outcomes()
    pytest.main(["-n", "0", "-q", "-m", "slow or not slow", str(TESTS)], plugins=[found])
    passed = {name: sorted(tests - found.failed[name]) for name, tests in found.passed.items()}
    PASSED.write_text(json.dumps(passed, indent=2, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page(), "utf-8")
    sys.exit(any(found.failed.values()))


def page() -> str:
    """The page with the table as it should be."""
    block = f"{BEGIN}\n{table()}{END}\n"
    return BLOCK.sub(lambda _: block, PAGE.read_text("utf-8"))


def table() -> str:
    """One line a family: where it is from, and which of the tests it passed."""
    from family_kit import FAMILIES

    passed = json.loads(PASSED.read_text("utf-8"))
    head = ["family", "class in transformers", "bases with a name", *COLUMNS, "export"]
    lines = [_line(head), _line(["---"] * len(head))]
    for name, family in sorted(FAMILIES.items()):
        done = passed.get(name, [])
        cells = [name, f"`{family.config.removesuffix('Config')}`"]
        cells.append(", ".join(f"`{key}`" for key in family.bases) or "by `hf:` or folder")
        cells += ["yes" if test in done else "**no**" for test in COLUMNS.values()]
        cells.append("merged, GGUF" if family.gguf else "merged")
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


class Outcomes:
    """A plugin of pytest that notes, by family, which tests passed and which did not."""

    def __init__(self) -> None:
        from family_kit import FAMILIES

        self.passed: dict[str, set[str]] = {name: set() for name in FAMILIES}
        self.failed: dict[str, set[str]] = {name: set() for name in FAMILIES}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest for each stage of a test."""
        named = re.search(r"::(\w+)\[(?:float32-|bfloat16-)?([\w.-]+)\]$", report.nodeid)
        if named is None or named[2] not in self.passed:
            return
        if report.when == "call" and report.passed:
            self.passed[named[2]].add(named[1])
        elif report.failed:
            self.failed[named[2]].add(named[1])


if __name__ == "__main__":
    main()
