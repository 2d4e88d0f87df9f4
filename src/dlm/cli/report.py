"""`dlm report`: what the model knows, as one page of HTML."""

from __future__ import annotations

import sys
from pathlib import Path

from dlm.cli.common import note, print_json, read_document, trained_store
from dlm.cli.edits import document_path


def run(path: str | None, *, output: str | None, open_it: bool, as_json: bool) -> None:
    from dlm.report.gather import gather
    from dlm.report.summary import summarise

    document = read_document(path)
    with trained_store(document) as store:
        facts = gather(document, store)
    summary = summarise(facts)
    if as_json:
        print_json({"headline": summary.headline, "summary": summary.text, **facts.to_json()})
    if as_json and output is None and not open_it:
        return
    from dlm.report.page import default_path, page, write

    html = page(facts)
    if output == "-":
        sys.stdout.write(html)
        return
    target = Path(output) if output else default_path(document_path(document))
    write(html, target)
    if not as_json:
        print(f"{summary.headline}\n{summary.text}")
        print(f"wrote {target}")
    if open_it:
        _open(target)


def _open(target: Path) -> None:
    import webbrowser

    if not webbrowser.open(target.resolve().as_uri()):
        note(f"note: no browser was found; open {target} yourself")
