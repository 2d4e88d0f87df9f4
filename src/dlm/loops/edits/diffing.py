"""The change from one document to another as a unified diff, such as `patch` takes."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Final

from dlm.doc.document import Document
from dlm.loops.edits.applying import fitted, rebase
from dlm.loops.edits.plan import EditPlan, Place

_NO_NEWLINE: Final = "\n\\ No newline at end of file\n"


def diff(
    document: Document,
    plan: EditPlan,
    only: Collection[str] | None = None,
    place: Place = "after",
) -> str:
    """What the plan, as far as it fits, would change in the document; empty when nothing."""
    return unified(document, fitted(document, rebase(document, plan, only, place).plan, place))


def unified(before: Document, after: Document) -> str:
    """The unified diff of two documents, lines of the file with their own newlines."""
    name = str(after.path or "document.dlm")
    found = difflib.unified_diff(_lines(before.text), _lines(after.text), name, name)
    return "".join(line if line.endswith("\n") else f"{line}{_NO_NEWLINE}" for line in found)


def _lines(text: str) -> list[str]:
    # Not `splitlines`: a line of a document ends at "\n" and nothing else.
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
