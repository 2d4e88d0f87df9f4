"""The notices that have to travel with the embedded weights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def card(pocket_folder: Path) -> str:
    return (pocket_folder / "README.md").read_text("utf-8")


def _sources(card: str) -> list[list[str]]:
    table = card.split("| source | licence |", 1)[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_source_is_named_with_link_licence_and_commit(card: str) -> None:
    sources = _sources(card)
    assert len(sources) == 91
    for source, licence, commit, _, _ in sources:
        assert re.fullmatch(r"\[[\w.-]+/[\w.-]+\]\(https://github\.com/[\w./-]+\)", source)
        assert licence
        assert re.fullmatch(r"[0-9a-f]{12}", commit)


def test_the_sizes_of_the_sources_add_up_to_the_corpus(card: str) -> None:
    megabytes = sum(float(row[4]) for row in _sources(card))
    stated = re.search(r"([\d.]+) MB of text\.", card)
    assert stated is not None
    assert megabytes == pytest.approx(float(stated[1]), abs=0.5)


def test_the_licence_of_the_weights_is_stated_wherever_somebody_looks(
    card: str, pocket_folder: Path
) -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert card.startswith("---\nlicense: cc-by-sa-4.0\n")
    assert "CC BY-SA 4.0" in (pocket_folder / "LICENSE.txt").read_text("utf-8")
    assert "CC BY-SA 4.0" in notice
    assert "Apache" in notice
    assert (ROOT / "LICENSE").read_text("utf-8").count("Apache License") >= 2


def test_the_prompts_in_the_card_are_the_ones_of_the_base(card: str) -> None:
    words = " ".join(card.split())
    for prompt in (
        "You write training data from a passage.",
        "that the passage answers directly. Use only facts from the passage.",
        "Write the request that this text answers. Do not quote it.",
    ):
        assert prompt in words
