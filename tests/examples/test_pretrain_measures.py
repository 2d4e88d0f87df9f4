"""How bases are measured, and the card that is written of it. No model."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from recipe.corpus import plain_text, read
from recipe.measures.learning import on_base
from recipe.measures.material import Size, material
from recipe.measures.open_book import _REFUSES
from recipe.measures.table import table

from dlm.base_models.locate import local_folder
from dlm.base_models.registry import BASE_MODELS
from dlm.doc.parser import parse_text

RECIPE = Path(__file__).parents[2] / "examples" / "pretrain"
POCKET = local_folder(BASE_MODELS["pocket"])


def test_what_bases_are_asked_is_held_out_and_the_same_each_time(corpus: Path) -> None:
    size = Size(texts=2, characters=300, passages=5, questions=6)
    drawn = material(corpus, size, seed=0)
    assert drawn == material(corpus, size, seed=0)
    assert drawn != material(corpus, size, seed=1)
    kept = "\n".join(plain_text(text) or "" for text in read(corpus) if text.held_out)
    assert all(text in kept for texts in drawn.texts.values() for text in texts)
    assert all(passage.text in kept for passage in drawn.passages)
    assert [one.kind for one in drawn.questions] == ["sentence", "brief", "open"] * 6
    assert all(one.answer for one in drawn.questions if one.kind != "open")


@pytest.mark.parametrize(
    ("answer", "declines"),
    [
        ("The passage does not say.", True),
        ("That is not mentioned here.", True),
        ("I don't know.", True),
        ("The pump weighs 20 grams.", False),
        ("It is not a pump but a drill.", False),
    ],
)
def test_a_declined_question_is_told_from_an_answered_one(answer: str, declines: bool) -> None:
    assert bool(_REFUSES.search(answer)) is declines


def test_a_document_is_moved_to_another_base() -> None:
    text = (RECIPE.parent / "rowing-shed.dlm").read_text("utf-8")
    moved = on_base(text, r"/some/\1folder")
    assert parse_text(moved).frontmatter.base_model == r"/some/\1folder"
    assert moved.count("\n") == text.count("\n")
    faster = parse_text(on_base(text, "pocket", 0.001)).frontmatter
    assert (faster.base_model, faster.training.learning_rate) == ("pocket", 0.001)


def test_bases_stand_side_by_side() -> None:
    shown = table({"one": {"loss": {"all": 1.5}, "n": 3}, "two": {"loss": {"all": 1234.0}}})
    lines = [re.sub(r"\s+", " ", line) for line in shown.splitlines()]
    assert lines[0] == "| | one | two |"
    assert lines[2:] == ["| loss: all | 1.500 | 1234 |", "| n | 3 | - |"]


def card(folder: Path, sources: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The card of a base that was trained on some sources, two of them known."""
    (folder / "SOURCES.md").write_text(
        "| source | licence | commit | documents | MB |\n"
        "| [a/b](https://example.org/a/b) | CC BY-SA 3.0 | 12ab | 3 | 0.1 |\n"
        "| [c/d](https://example.org/c/d) | MIT | 34cd | 1 | 0.2 |\n",
        "utf-8",
    )
    made = {
        "documents": 4, "sources": dict.fromkeys(sources, 1), "fiction_share_of_plain": 0.2,
        "tokens": {"plain": 1_500_000, "chat": 2_000_000},
    }  # fmt: skip
    (folder / "curriculum.json").write_text(json.dumps(made), "utf-8")
    model = folder / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (model / name).symlink_to(POCKET / name)
    told = ["--model", str(model), "--data", str(folder), "--corpus", str(folder), "--name", "Ours"]
    monkeypatch.setattr(sys, "argv", ["card.py", *told])
    runpy.run_path(str(RECIPE / "card.py"), run_name="__main__")
    return (model / "README.md").read_text("utf-8")


def test_a_card_names_every_source_and_its_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = card(tmp_path, ["a/b"], monkeypatch)
    assert "10.2 million parameters" in text
    assert "| [a/b](https://example.org/a/b) | CC BY-SA 3.0 | 12ab | 3 | 0.1 |" in text
    assert "\n0.1 MB of text." in text
    assert "c/d" not in text
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in text


def test_a_source_without_a_licence_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        card(tmp_path, ["a/b", "x/y"], monkeypatch)
    assert ended.value.code == 1
    assert "error: x/y has no row in a SOURCES table" in capsys.readouterr().err
    assert not (tmp_path / "model" / "README.md").exists()


def test_the_card_that_ships_says_what_its_licences_ask_for() -> None:
    text = (POCKET / "README.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| \[[^\]]+\]\(https://[^)]+\) \| ([^|]+) \| [0-9a-f]{12} \|", text)
    assert len(rows) == 91
    asking = {row.strip() for row in rows if row.startswith("CC BY")}
    for licence in asking:
        assert f"[{licence}](https://creativecommons.org/licenses/" in text
    assert "adapted" in text
