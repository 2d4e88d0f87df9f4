"""The page in headless Chromium: what is drawn has a size and fits, and follows light and dark."""

from __future__ import annotations

import json
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from report_kit import improved, open_store, synthesized, train, write

from dlm.report.gather import gather
from dlm.report.page import page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

DRAWN = (
    *("#summary", ".tile", ".meter .dot", ".strip .k.learned", ".strip .k.partly", ".chip.not"),
    *("#versions path.curve", "#versions .ring", "#versions path.cross", "#trainings .whisker"),
    *("#trainings path.curve", "#trainings .answers", ".bound", ".stack .s0", "#synth .bar"),
    *("#rounds .card", "#rounds table", "article.sec", "dl.words"),
)
MEASURE = """
onload = () => {
  const frame = document.querySelector('iframe'), page = frame.contentDocument;
  page.querySelectorAll('details').forEach(one => one.open = true);
  const sizes = {};
  for (const name of %s) {
    sizes[name] = [...page.querySelectorAll(name)].map(one => {
      const box = one.getBoundingClientRect();
      return [box.left, box.right, box.width + box.height];
    });
  }
  const low = [...page.querySelectorAll('svg text')].map(
    one => one.getBoundingClientRect().height);
  const told = {
    sizes,
    text: Math.min(...low),
    wide: page.documentElement.scrollWidth,
    paper: getComputedStyle(page.body).backgroundColor,
    learned: getComputedStyle(page.querySelector('.strip .k.learned')).fill,
  };
  document.body.dataset.told = JSON.stringify(told);
};
"""


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with all there can be on it."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(folder / "home"))
        document = write(folder)
        question = "Where does the key hang?"
        with open_store(document) as store:
            train(store, document, {question: "No.", "What floats?": "No."})
            train(store, document, {question: "No."})
            train(store, document, current=False)
            synthesized(store)
            improved(store, document, promoted=False)
            return page(gather(document, store))


def measured(html: str, folder: Path, width: int, *arguments: str) -> dict[str, Any]:
    """What a script finds that has the page in a frame: the page itself allows none."""
    assert CHROMIUM is not None
    loose = html.replace("Content-Security-Policy", "x-policy")
    frame = f'<iframe width="{width}" height="900" srcdoc="{escape(loose)}"></iframe>'
    script = MEASURE % json.dumps(DRAWN)
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f"<!doctype html><body>{frame}<script>{script}</script>", "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *options, profile, *arguments, "--dump-dom", wrapper.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told: dict[str, Any] = json.loads(unescape(done.stdout.split('data-told="')[1].split('"')[0]))
    return told


@pytest.mark.parametrize("width", [390, 1280])
def test_everything_is_drawn_and_fits(html: str, tmp_path: Path, width: int) -> None:
    told = measured(html, tmp_path, width)
    for name in DRAWN:
        boxes = told["sizes"][name]
        assert boxes, f"{name} is not drawn"
        assert all(size > 1 for _, _, size in boxes), f"{name} has no size"
        if name not in ("#rounds table",):
            assert all(left >= 0 and right <= width for left, right, _ in boxes), name
    assert told["wide"] <= width, "the page scrolls sideways"
    assert told["text"] > 9, "letters in the charts are too small to read"


@pytest.mark.parametrize(
    ("scheme", "paper", "learned"),
    [(1, "rgb(250, 249, 246)", "rgb(63, 156, 124)"), (0, "rgb(20, 23, 27)", "rgb(79, 174, 139)")],
    ids=["light", "dark"],
)
def test_it_follows_light_and_dark(
    html: str, tmp_path: Path, scheme: int, paper: str, learned: str
) -> None:
    told = measured(html, tmp_path, 800, f"--blink-settings=preferredColorScheme={scheme}")
    assert (told["paper"], told["learned"]) == (paper, learned)
