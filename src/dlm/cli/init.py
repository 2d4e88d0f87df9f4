"""`dlm init` and `dlm migrate`: a new document, and the frontmatter of an older one."""

from __future__ import annotations

import difflib
import os
import secrets
import time
from pathlib import Path

from dlm.cli.common import note, read_document
from dlm.errors import DlmError, UsageError

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
    """The notes as prose; a line that dlm would take for its own grammar is escaped."""
    from dlm.doc.render import escape_body, normalise

    try:
        text = source.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DlmError(f"cannot read {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DlmError(
            f"{source} is not UTF-8 (byte {error.start})", hint="save it as UTF-8 first"
        ) from error
    if not text.strip():
        raise DlmError(f"{source} is empty", hint="leave --from out to start from a bundled text")
    return escape_body(normalise(text)) + "\n"


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
