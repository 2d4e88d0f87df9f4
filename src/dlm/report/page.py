"""The whole page: one file that needs nothing else, no network and no script; and where it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.files import disk_error, write_atomic
from dlm.report.activity import rounds, synths, trainings
from dlm.report.charts import STATES
from dlm.report.facts import Facts
from dlm.report.knowledge import cut, figures, learned
from dlm.report.summary import summarise
from dlm.report.versions import versions
from dlm.report.words import percent, readable, user, when
from dlm.text.words import count

GENERATOR: Final = "dlm report"
"""How a page says who made it; only such a file is ever overwritten."""

_BEGINNING: Final = 1_000  # bytes in which a page says who made it
_MARK: Final = f'<meta name="generator" content="{GENERATOR}">'.encode()


def page(facts: Facts) -> str:
    """The report as HTML: `templates/page.html`, filled in; what is no markup is escaped there."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from dlm import __version__

    environment = Environment(
        loader=PackageLoader("dlm.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=readable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"counted": count, "percent": percent, "when": when, "user": user}
    environment.filters |= {"cut": cut, "css": lambda state: STATES[state][0]}
    environment.filters["sign"] = lambda state: STATES[state][1]
    return environment.get_template("page.html").render(
        generator=GENERATOR,
        version=__version__,
        facts=facts,
        summary=summarise(facts),
        figures=figures(facts),
        map=learned(facts),
        versions=versions(facts),
        trainings=trainings(facts),
        synths=synths(facts),
        rounds=rounds(facts),
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
