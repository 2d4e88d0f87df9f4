"""The page: what its files and its JSON are, over HTTP, and what a person does in a browser."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_kit import Page, browser, needs_browser
from selenium.webdriver import ActionChains, Keys
from serve_kit import FACTS, Served, document, serving

from dlm.doc.document import Document
from dlm.loops.edits import stage
from dlm.loops.push import propose_correction
from dlm.store.edits import waiting_probes
from dlm.store.records import now
from dlm.store.store import open_store

QUESTION, ANSWER = next(iter(FACTS.items()))
EVIL = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document that was never trained: its notes answer, and one of them is hostile."""
    path = tmp_path_factory.mktemp("notes") / "club.dlm"
    path.write_text(document(facts=FACTS | {"What hangs in the hall?": EVIL}))
    return path


@pytest.fixture(scope="module")
def served(path: Path, home: Path) -> Iterator[Served]:
    with serving(path, home=home) as served:
        yield served


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(home))


def propose(path: Path, question: str, answer: str) -> str:
    """Stage a correction as another program does; returns its run."""
    found = Document.open(path)
    plan = propose_correction(found, question, answer, by="mcp:test", at=now())
    with open_store(found) as store:
        stage(store.database, plan)
    return plan.run


def call(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data, {**kind, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_page_and_all_it_names_come_from_the_server(served: Served) -> None:
    with urllib.request.urlopen(served.url) as reply:
        policy = reply.headers["content-security-policy"]
        html = reply.read().decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name in ("page.css", "page.js", "icon.svg"):
        assert f'"/page/{name}"' in html
        with urllib.request.urlopen(f"{served.url}/page/{name}") as reply:
            assert reply.read()
            assert reply.headers["x-content-type-options"] == "nosniff"
    assert "http" not in html.replace("http-equiv", "")


def test_what_changes_something_is_taken_from_this_page_alone(
    served: Served, path: Path, own_home: None
) -> None:
    body = {"document": "club", "question": "Who?", "answer": "Me."}
    url = f"{served.url}/page/wrong"
    assert call(url, body, **{"Content-Type": "text/plain"})[0] == 415
    assert call(url, body, Origin="http://elsewhere.example")[0] == 403
    assert call(url, body, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert call(url, {**body, "document": "other"})[0] == 404
    assert call(url, {**body, "answer": "\0"})[0] == 400
    with open_store(Document.open(path)) as store:
        assert waiting_probes(store.database) == ()


def test_what_the_document_says_otherwise_is_not_taken(served: Served) -> None:
    url = f"{served.url}/page/wrong"
    status, told = call(url, {"document": "club", "question": QUESTION, "answer": "Red."})
    assert status == 409
    assert "line 12 asks it already, with another answer" in told["error"]["message"]
    status, told = call(url, {"document": "club", "question": QUESTION, "answer": ANSWER})
    assert (status, told["standing"]) == (200, 12)


def test_a_plan_that_changed_since_it_was_shown_is_not_applied(
    served: Served, path: Path, own_home: None
) -> None:
    run = propose(path, "Who has the launch?", "Ida has it.")
    before = path.read_text()
    body = {"document": "club", "run": run, "ids": ["00000000"]}
    assert call(f"{served.url}/page/staged/apply", body)[0] == 409
    assert path.read_text() == before
    assert call(f"{served.url}/page/staged/discard", {"document": "club", "run": run})[0] == 200
    assert call(f"{served.url}/page/staged/apply", body)[0] == 404


def test_the_key_is_asked_for(path: Path, home: Path) -> None:
    with serving(path, "--api-key-env", "KEY", home=home, KEY="sesame") as served:
        with urllib.request.urlopen(served.url) as reply:
            assert reply.status == 200
        assert call(f"{served.url}/page/facts")[0] == 401
        found = call(f"{served.url}/page/facts", Authorization="Bearer sesame")
        assert found[1]["documents"][0]["name"] == "club"


@needs_browser
def test_asking_shows_the_answer_its_line_and_the_passages(served: Served, page: Page) -> None:
    page.open(served.url)
    page.one("#question").send_keys(f"{QUESTION}\n")
    page.answered(1)
    assert page.text(".said") == ANSWER
    assert "line 16" in page.text(".where")
    assert "not trained yet" in page.text(".where")
    page.one(".passages summary").click()
    assert ANSWER in page.text(".passages .here")
    page.one("#question").send_keys("What hangs in the hall?\n")
    page.answered(2)
    assert page.text(".said") == EVIL
    assert page.driver.title == "club – dlm"
    assert page.complaints() == []


@needs_browser
def test_what_the_model_says_comes_piece_by_piece_until_it_is_stopped(
    served: Served, page: Page
) -> None:
    page.open(served.url)
    page.choose("#speaker", "club@base")
    page.one("#question").send_keys("Tell me all that you know of rivers.\n")
    pieces = "return document.querySelector('.said').childNodes.length"
    page.until(lambda: page.driver.execute_script(pieces) > 1, 120)
    page.one("#stop").click()
    page.answered(1)
    assert page.text(".where") == "Stopped."
    assert page.one("#send").is_displayed()


@needs_browser
def test_a_wrong_answer_waits_as_a_probe(
    served: Served, page: Page, path: Path, own_home: None
) -> None:
    page.open(served.url)
    page.one("#question").send_keys("Who rings the bell at noon?\n")
    page.answered(1)
    page.one(".quiet").click()
    page.one(".marking textarea").send_keys("Nora rings the bell.\n")
    assert page.until(lambda: page.one(".told").text)
    body = {"document": "club", "question": "Who rings the bell at noon?"}
    call(f"{served.url}/page/wrong", body | {"answer": "Nobody."})
    call(f"{served.url}/page/wrong", body | {"answer": "Nora rings the bell."})
    told = page.one(".told").text
    assert f"dlm train {path} --watch" in told
    with open_store(Document.open(path)) as store:
        (probe,) = waiting_probes(store.database)
    assert (probe.prompt, probe.reference) == (
        "Who rings the bell at noon?",
        "Nora rings the bell.",
    )


@needs_browser
def test_what_is_proposed_is_read_edited_and_applied(
    served: Served, page: Page, path: Path, own_home: None
) -> None:
    propose(path, "Who keeps the spare key?", "Marta keeps it.")
    page.open(served.url, "staged")
    assert "+Marta keeps it." in page.text(".diff")
    page.one(".addition summary").click()
    page.one(".addition textarea").clear()
    page.one(".addition textarea").send_keys(
        "### Q\nWho keeps the spare key?\n### A\nOtto keeps it."
    )
    page.one(".addition .buttons :first-child").click()
    page.until(lambda: "+Otto keeps it." in page.text(".diff"))
    assert "Otto" not in path.read_text()
    page.one(".plan > .buttons .main").click()
    page.until(lambda: "Nothing is proposed" in page.text("#plans"))
    (section,) = [one for one in Document.open(path).sections if "Otto" in one.text]
    assert section.provenance is not None
    assert section.provenance.by == "mcp:test"
    page.open(served.url)
    page.one("#question").send_keys("Who keeps the spare key?\n")
    page.answered(1)
    assert page.text(".said") == "Otto keeps it."


@needs_browser
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(served: Served, page: Page, width: int) -> None:
    page.resize(width)
    for view in ("ask", "compare", "learned", "staged"):
        page.open(served.url, view)
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.driver.execute_script(wide) <= 0


@needs_browser
def test_every_text_stands_out_in_light_and_dark(
    served: Served, page: Page, path: Path, own_home: None
) -> None:
    propose(path, "Who winds the clock?", "Rosa winds it.")
    page.resize(1280)
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        for view in ("ask", "compare", "learned", "staged"):
            page.open(served.url, view)
            if view == "ask":
                page.one("#question").send_keys(f"{QUESTION}\n")
                page.answered(1)
                page.one(".passages summary").click()
            elif view != "compare":
                page.one({"learned": ".sec", "staged": ".diff"}[view])
            lowest = page.contrasts()[0]
            assert lowest[0] >= 4.5, (scheme, view, lowest)


@needs_browser
def test_the_page_is_used_without_a_mouse(served: Served, page: Page) -> None:
    page.open(served.url)
    keys = ActionChains(page.driver)
    assert page.driver.switch_to.active_element.get_attribute("id") == "question"
    keys.send_keys("one").key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT)
    keys.send_keys("two").perform()
    assert page.one("#question").get_attribute("value") == "one\ntwo"
    page.one("#question").clear()
    page.one("#question").send_keys(f"{QUESTION}\n")
    page.answered(1)
    names = []
    for _ in range(8):
        back = ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB)
        back.key_up(Keys.SHIFT).perform()
        names.append(page.driver.switch_to.active_element.accessible_name)
        seen = "return document.activeElement.matches(':focus-visible')"
        assert page.driver.execute_script(seen), names
    assert names[:2] == ["Who answers", "This is wrong"]
    assert names[2].endswith("passages")
    assert names[3] == "Questions and answers"
    assert [name.split()[0] for name in names[4:]] == ["Proposed", "Learned", "Compare", "Ask"]


@needs_browser
def test_the_page_asks_for_the_key(path: Path, home: Path, page: Page) -> None:
    with serving(path, "--api-key-env", "KEY", home=home, KEY="sesame") as served:
        page.driver.get(served.url)
        page.one("#key").send_keys("wrong\n")
        page.until(lambda: page.one("#key").get_attribute("value") == "")
        page.one("#key").send_keys("sesame\n")
        page.until(lambda: page.all("#speaker option"))
        page.one("#question").send_keys(f"{QUESTION}\n")
        page.answered(1)
        assert page.text(".said") == ANSWER
