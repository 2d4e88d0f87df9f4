"""The whole page: one file that needs nothing else, no network and no script; and where it goes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.files import disk_error, write_atomic
from dlm.report.facts import Facts
from dlm.report.html import join, raw, user
from dlm.report.knowledge import knowledge
from dlm.report.overview import overview
from dlm.report.rounds import rounds, synths
from dlm.report.summary import summarise
from dlm.report.trainings import trainings
from dlm.report.versions import versions
from dlm.report.words import when

GENERATOR: Final = "dlm report"
"""How a page says who made it; only such a file is ever overwritten."""

_BEGINNING: Final = 1_000  # bytes in which a page says who made it
_MARK: Final = f'<meta name="generator" content="{GENERATOR}">'.encode()
_PARTS: Final = (overview, knowledge, versions, trainings, synths, rounds)


def page(facts: Facts) -> str:
    """The report as HTML: `page.html`, filled in; what is no `Html` yet is escaped there."""
    from jinja2 import Environment, StrictUndefined

    from dlm import __version__

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    summary = summarise(facts)
    return environment.from_string(_packaged("page.html")).render(
        generator=GENERATOR,
        style=raw(_packaged("report.css")),
        title=join(facts.title),
        document=user(facts.title),
        base=join(facts.base),
        made_at=when(facts.made_at),
        headline=join(summary.headline),
        said=[(join(label), join(text)) for label, text in summary.said],
        parts=[part(facts) for part in _PARTS],
        version=__version__,
        path=user(facts.document),
        dlm_id=join(facts.dlm_id),
    )


def default_path(document: Path) -> Path:
    """`notes.report.html` beside `notes.dlm`."""
    return document.with_name(f"{document.stem}.report.html")


def write(page: str, path: Path) -> None:
    """Write the page whole or not at all; raises DlmError where something else lies there."""
    _check(path)
    write_atomic(path, page.encode("utf-8", "replace"))


def _check(path: Path) -> None:
    if path.is_dir():
        raise DlmError(f"{path} is a folder", hint="name a file in it, such as report.html")
    if not path.parent.is_dir():
        raise DlmError(f"there is no folder {path.parent}", hint="make it first")
    if path.exists() and not _is_report(path):
        raise DlmError(
            f"{path} is there already and is no report of dlm; nothing was written",
            hint="name another file with -o, or move that one away",
        )


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK in file.read(_BEGINNING)
    except OSError as error:
        raise disk_error(path, error) from error


def _packaged(name: str) -> str:
    return resources.files("dlm.report").joinpath(name).read_text("utf-8")
