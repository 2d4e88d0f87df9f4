"""`dlm init` and `dlm migrate`: a new document, and the frontmatter of an older one."""

from __future__ import annotations

import codecs
import difflib
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlm.cli.common import count, note, read_document
from dlm.errors import DlmError, UsageError

if TYPE_CHECKING:
    from dlm.doc.notes import Note

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def create(path: str, *, base: str | None, source: str | None, template: str, force: bool) -> None:
    from dlm.base_models import resolve
    from dlm.cli.base import default_base, describe
    from dlm.doc.parser import parse_text
    from dlm.files import write_atomic
    from dlm.hardware import detect

    target = _target(path, force=force)
    key = base or default_base()
    model = resolve(key)
    text = _frontmatter(_from_there(key, target)) + (
        _from_notes(Path(source)) if source else _from_template(template)
    )
    parse_text(text, path=target)
    write_atomic(target, text.encode("utf-8"), mode=0o666 & ~_umask())
    print(f"created {target}")
    note(describe(model, detect()))
    note(f'next: edit it, then `dlm train {target}` and `dlm prompt {target} "…"`')


def new_id() -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits, as 26 Crockford base-32 digits."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def _target(path: str, *, force: bool) -> Path:
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"{path} is a folder", hint=f"name a file in it: {target / 'notes.dlm'}")
    if target.suffix != ".dlm":
        target = target.with_name(target.name + ".dlm")
    if target.exists() and not force:
        raise DlmError(f"{target} exists already", hint="--force replaces it")
    if not target.parent.is_dir():
        raise DlmError(f"the folder {target.parent} does not exist", hint="create it first")
    return target


def _from_there(base: str, target: Path) -> str:
    """A base as the document is to spell it: a relative folder counts from the document's."""
    from dlm.base_models.resolve import names_a_folder

    folder = Path(base)
    if not names_a_folder(base, Path()) or base.startswith("~") or folder.is_absolute():
        return base
    there = Path(os.path.relpath(folder, target.parent)).as_posix()
    return there if there.startswith("..") else f"./{there}"


def _frontmatter(base: str) -> str:
    from dlm.doc.schema import CURRENT_SCHEMA_VERSION

    quoted = base if all(c.isalnum() or c in "._-/:" for c in base) else f'"{base}"'
    return (
        f"---\ndlm_id: {new_id()}\ndlm_version: {CURRENT_SCHEMA_VERSION}\n"
        f"base_model: {quoted}\n---\n\n"
    )


def _from_notes(source: Path) -> str:
    """The text of the notes as prose, or the body of a document as it is.

    Frontmatter and comments are left out, and a line that dlm would take for its own grammar is
    escaped; both are said.
    """
    from dlm.doc.notes import read_note
    from dlm.doc.render import escape_body, normalise

    if source.suffix == ".dlm":
        from dlm.doc.parser import parse_file

        document = parse_file(source)
        return document.text[document.frontmatter_span.end :]
    text = _read_text(source).replace("\r\n", "\n").replace("\r", "\n")
    found = read_note(text, obsidian=source.suffix.lower() in (".md", ".markdown", ".mdown"))
    for line, opening in found.unclosed:
        note(f"warning: {source}:{line}: {opening!r} is never closed; what follows it is kept")
    if left_out := _left_out(found):
        note(f"left out of it, as it is no text to learn: {left_out}")
    text = normalise(found.text)
    if not text.strip():
        raise DlmError(
            f"{source} holds no text", hint="leave --from out to start from a bundled text"
        )
    escaped = escape_body(text)
    pairs = zip(text.split("\n"), escaped.split("\n"), strict=True)
    if changed := [line for line, written in pairs if line != written]:
        lines = "a line" if len(changed) == 1 else f"{len(changed)} lines"
        note(f"escaped in it: {lines} that a document would act on, such as {changed[0]!r}")
    return escaped + "\n"


def _read_text(source: Path) -> str:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise DlmError(f"cannot read {source}: {error.strerror}") from error
    try:
        return data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DlmError(
            f"{source} is not UTF-8 (byte {error.start})",
            hint="--from takes plain text or Markdown; save it as UTF-8 first",
        ) from error


def _left_out(found: Note) -> str:
    parts: list[str] = []
    if found.frontmatter:
        parts.append(f"its frontmatter ({_lines([found.frontmatter])})")
    if found.comments:
        parts.append(f"{count(len(found.comments), 'comment')} ({_lines(found.comments)})")
    return " and ".join(parts)


def _lines(places: Sequence[tuple[int, int]]) -> str:
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in places]
    word = "line" if len(shown) == 1 and "-" not in shown[0] else "lines"
    more = f" and {len(shown) - 9} more" if len(shown) > 9 else ""
    return f"{word} {', '.join(shown[:9])}{more}"


def _from_template(name: str) -> str:
    from dlm.templates.registry import list_bundled

    bundled = {item.name: item for item in list_bundled()}
    if name not in bundled:
        raise UsageError(f"there is no template {name!r}", hint=f"one of {', '.join(bundled)}")
    return bundled[name].body


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def bring_up_to_date(path: str | None, *, dry_run: bool) -> None:
    from dlm.doc.migrations import migrate
    from dlm.loops.edits import replace_document

    document = read_document(path)
    splices = migrate(document)
    if not splices:
        print(f"{document.path} is up to date (dlm_version {document.frontmatter.dlm_version})")
        return
    migrated = document.apply(splices)
    before, after = document.text.splitlines(True), migrated.text.splitlines(True)
    for line in difflib.unified_diff(before, after, "now", "migrated", n=1):
        print(line.rstrip("\r\n"))
    if dry_run:
        print("nothing was changed (--dry-run)")
        return
    assert document.path is not None
    replace_document(document.path, document, migrated)
    print(f"{document.path} is now dlm_version {migrated.frontmatter.dlm_version}")
