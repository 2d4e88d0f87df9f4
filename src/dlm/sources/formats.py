"""The formats that `dlm init --from` reads, by the ending of a file, one reader each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.sources.imported import Imported, comment, from_body, from_notes, read_bytes
from dlm.sources.markup import from_docx, from_epub, from_html
from dlm.sources.pairs import from_rows
from dlm.sources.pdf import from_pdf
from dlm.sources.secrets import find_secrets

Reader = Callable[[Path, bytes], Imported]

READERS: Final[dict[str, Reader]] = {
    ".dlm": from_body,
    ".pdf": from_pdf,
    ".docx": from_docx,
    ".epub": from_epub,
    **dict.fromkeys((".html", ".htm", ".xhtml"), from_html),
    **dict.fromkeys((".csv", ".tsv", ".json", ".jsonl", ".ndjson"), from_rows),
}
"""By ending in small letters; what is not here is read as notes."""

_PACKED: Final = (".pdf", ".docx", ".epub")
_LARGE: Final = 300_000  # bytes of what is read in more than a moment
_OLD: Final = {
    ".doc": "save it as DOCX first",
    ".odt": "save it as DOCX first",
    ".rtf": "save it as DOCX first",
    ".mobi": "convert it to EPUB first",
    ".azw3": "convert it to EPUB first",
    ".xlsx": "save the sheet as CSV first",
    ".pptx": "save it as PDF first",
}


def import_file(path: Path) -> Imported:
    """The text of a file for the body of a document; raises DlmError when it cannot be read."""
    suffix = path.suffix.lower()
    data = read_bytes(path)
    if suffix in _OLD and suffix not in READERS:
        raise DlmError(f"{path} cannot be read: {suffix} is not supported", hint=_OLD[suffix])
    if data[:5] == b"%PDF-":
        suffix = ".pdf"
    return READERS.get(suffix, from_notes)(path, data)


def import_files(
    paths: Sequence[Path], reading: Callable[[str], None] = lambda text: None
) -> tuple[Imported, list[tuple[str, str]]]:
    """The text of several files one after another, and what in them looks like a secret.

    `reading` is told what takes a while before it begins. Raises DlmError as `import_file`.
    """
    bodies: list[str] = []
    notes: list[str] = []
    secrets: list[tuple[str, str]] = []
    open_section = False
    for path in paths:
        if path.suffix.lower() in _PACKED and path.is_file() and path.stat().st_size > _LARGE:
            reading(f"reading {path} …")
        found = import_file(path)
        notes += found.notes
        secrets += secrets_in(path, found)
        if len(paths) > 1 and not found.sections:
            bodies.append(("::prose::\n\n" if open_section else "") + comment(f"from {path.name}"))
        bodies.append(found.body)
        open_section = found.sections
    return Imported("\n".join(bodies), tuple(notes)), secrets


def secrets_in(path: Path, imported: Imported) -> list[tuple[str, str]]:
    """(place, kind) of what looks like a secret in a file that was imported.

    The line is that of the file; of a PDF, DOCX or EPUB that of the text that was read from it.
    """
    if path.suffix.lower() in _PACKED:
        text = imported.body
    else:
        text = read_bytes(path).decode("utf-8", "replace")
        if "\0" in text:
            text = imported.body
    return [(f"{path}:{one.line}", one.kind) for one in find_secrets(text, path.name)]
