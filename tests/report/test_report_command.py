"""`dlm report`: where the page goes, what it never overwrites, JSON, and how fast it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from report_kit import TEXT, open_store, train, write

from dlm.cli.show import write_report
from dlm.errors import DlmError

DLM = [sys.executable, "-m", "dlm.cli.app"]


@pytest.fixture
def shed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained document in a folder of its own, which is the current one."""
    document = write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with open_store(document) as store:
        train(store, document, {"What floats?": "Nothing."})
    return tmp_path / "shed.dlm"


def run(output: str | None = None, *, as_json: bool = False) -> None:
    write_report("shed.dlm", output=output, open_it=False, as_json=as_json)


def test_it_writes_beside_the_document_and_again(
    shed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    first = shed.with_name("shed.report.html").read_bytes()
    run()
    printed = capsys.readouterr().out
    assert first.startswith(b"<!doctype html>")
    assert printed.count("wrote shed.report.html") == 2
    assert printed.startswith("v0001 has learned")
    assert sorted(path.name for path in shed.parent.iterdir()) == ["shed.dlm", "shed.report.html"]


def test_it_never_overwrites_anything_else(shed: Path) -> None:
    mine = shed.with_name("shed.report.html")
    mine.write_text("<p>my own page", "utf-8")
    with pytest.raises(DlmError, match="no report of dlm"):
        run()
    with pytest.raises(DlmError, match="no report of dlm"):
        run("shed.dlm")
    with pytest.raises(DlmError, match="is a folder"):
        run(".")
    with pytest.raises(DlmError, match="there is no folder"):
        run("nowhere/page.html")
    assert mine.read_text("utf-8") == "<p>my own page"
    assert shed.read_text("utf-8") == TEXT


def test_json_is_what_is_behind_the_page_and_writes_none(
    shed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["current"] == "v0001"
    assert told["figures"]["recall"]["right"]["value"] == 0.75
    assert told["sections"][3]["pairs"][0]["said"] == "Nothing."
    assert told["summary"].startswith("v0001 answers 3 of 4")
    assert not shed.with_name("shed.report.html").exists()
    run("page.html", as_json=True)
    assert json.loads(capsys.readouterr().out)["current"] == "v0001"
    assert shed.with_name("page.html").exists()


def test_standard_output_takes_the_page(shed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("-")
    printed = capsys.readouterr().out
    assert printed.startswith("<!doctype html>")
    assert printed.endswith("</html>\n")


def test_a_document_without_a_store_gets_a_page_and_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    run()
    assert (tmp_path / "shed.report.html").exists()
    assert not (Path(os.environ["DLM_HOME"]) / "store").exists()


def test_it_is_quick_and_loads_no_model(shed: Path) -> None:
    program = (
        "import sys; sys.argv = ['dlm', 'report', 'shed.dlm']\n"
        "from dlm.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*{'torch', 'transformers', 'peft', 'trl'} & sys.modules.keys(), 'end')"
    )
    began = time.process_time(), os.times().children_user + os.times().children_system
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=shed.parent, capture_output=True, text=True, check=True
    )
    used = os.times().children_user + os.times().children_system - began[1]
    assert done.stdout.endswith("\nend\n")
    assert used < 2.0, f"{used:.2f} s of processor time"
