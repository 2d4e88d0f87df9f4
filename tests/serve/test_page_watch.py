"""An answer that is marked as wrong in the browser becomes a probe, is trained, and is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_kit import browser, needs_browser
from serve_kit import document, serving, train

QUESTION, RIGHT = "Who rings the bell at noon?", "Nora rings the bell."


@needs_browser
@pytest.mark.slow
def test_a_wrong_answer_is_right_after_the_retrain(tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "club.dlm"
    path.write_text(document())
    train(path, home)
    with (
        serving(path, "--watch", home=home) as served,
        browser(tmp_path / "profile") as page,
    ):
        page.open(served.url)
        page.choose("#speaker", "club:closed")
        page.one("#question").send_keys(f"{QUESTION}\n")
        page.answered(1)
        assert page.text(".said") != RIGHT
        page.one(".quiet").click()
        page.one(".marking textarea").send_keys(f"{RIGHT}\n")
        page.until(lambda: "in the document" in page.text(".told"), 120)
        assert f"### Q !probe\n{QUESTION}\n" in path.read_text()
        page.until(lambda: "was trained on it" in page.text(".told"), 200)
        page.until(lambda: len(page.all(".again .chip")) == 2, 60)
        assert [one.text for one in page.all(".again .chip")] == ["● right", "● right"]

        page.open(served.url, "learned")
        assert "this is of v0001" in page.text("#map > p")
        assert len(page.all(".sec.none")) == 1

        page.open(served.url, "compare")
        page.choose("#left", "club@v0001:closed")
        page.choose("#right", "club@v0002:closed")
        page.one("#both").send_keys(f"{QUESTION}\n")
        page.until(lambda: page.text("#verdict") == "They differ.")
        left, right = (one.text for one in page.all("#sides .said"))
        assert left != RIGHT
        assert right == RIGHT
        assert page.complaints() == []
