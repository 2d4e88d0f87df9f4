"""`dlm init` and `dlm migrate`: a new document, and the frontmatter of an older one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlm.cli.common import note, read_document
from dlm.cli.options import DryRunOption, PathArgument
from dlm.errors import DlmError, UsageError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def init(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The document to create.")],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="After --from FILE: more to start from."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="Base model: a name of `dlm base list`, hf:org/name, or a folder. "
            "Default: smollm2-135m-q4 where it is on this machine, else pocket.",
        ),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Start from this file (text, Markdown, HTML, PDF, DOCX, EPUB, CSV, JSONL), or let "
            "this folder train beside the document. May be given again.",
        ),
    ] = None,
    allow_secrets: Annotated[
        bool,
        typer.Option("--allow-secrets", help="Take in what looks like a key or a token, too."),
    ] = False,
    template: Annotated[
        str, typer.Option("--template", help="Which bundled text to start from.")
    ] = "starter",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Create a document."""
    from dlm.base_models import resolve
    from dlm.base_models.folder import read_json
    from dlm.base_models.locate import where
    from dlm.base_models.suited import check_suited
    from dlm.cli.base import default_base, describe
    from dlm.doc.parser import parse_text
    from dlm.files import write_atomic
    from dlm.hardware import detect

    path, sources = _sources_of(path, sources or (), more or ())
    target = _target(path, force=force)
    key = base or default_base()
    model = resolve(key)
    if (place := where(model)) is not None and place.is_dir():
        check_suited(key, read_json(place / "config.json"))
    folders: list[str] = []
    if sources:
        body, folders = _import(sources, target, allow_secrets=allow_secrets)
    else:
        body = _from_template(template)
    text = _frontmatter(_from_there(key, target), folders) + body
    document = parse_text(text, path=target)
    if folders:
        _look_into(document, allow_secrets=allow_secrets)
    write_atomic(target, text.encode("utf-8"), mode=0o666 & ~_umask())
    print(f"created {target}")
    note(describe(model, detect()))
    note(f'next: edit it, then `dlm train {target}` and `dlm prompt {target} "…"`')


def new_id() -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits, as 26 Crockford base-32 digits."""
    import secrets

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
    there = _relative(folder, target)
    return there if there.startswith("..") else f"./{there}"


def _relative(path: Path, target: Path) -> str:
    return Path(os.path.relpath(path, target.parent)).as_posix()


def _frontmatter(base: str, folders: Sequence[str]) -> str:
    from dlm.doc.schema import CURRENT_SCHEMA_VERSION
    from dlm.doc.settings import render_value

    sources = "".join(f"    - path: {render_value(one)}\n" for one in folders)
    return (
        f"---\ndlm_id: {new_id()}\ndlm_version: {CURRENT_SCHEMA_VERSION}\n"
        f"base_model: {render_value(base)}\n"
        + (f"training:\n  sources:\n{sources}" if sources else "")
        + "---\n\n"
    )


def _sources_of(path: str, sources: Sequence[str], more: Sequence[str]) -> tuple[str, list[str]]:
    """The document that is meant, and what it starts from, in whichever order they were typed."""
    if more and not sources:
        raise UsageError(
            f"there is one document to create, and {more[0]} is not it",
            hint=f"to start from it: dlm init {path} --from {more[0]}",
        )
    if more and not path.endswith(".dlm") and more[-1].endswith(".dlm"):
        return more[-1], [*sources, path, *more[:-1]]
    return path, [*sources, *more]


def _import(sources: Sequence[str], target: Path, *, allow_secrets: bool) -> tuple[str, list[str]]:
    """The text of files as the body of a document, and the folders, as the document names them."""
    from dlm.sources.formats import import_files
    from dlm.sources.secrets import refuse_secrets

    paths = [Path(one) for one in sources]
    found, secrets = import_files([path for path in paths if not path.is_dir()], reading=note)
    for text in found.notes:
        note(text)
    if not allow_secrets:
        refuse_secrets(secrets)
    return found.body, [_relative(path, target) for path in paths if path.is_dir()]


def _look_into(document: Document, *, allow_secrets: bool) -> None:
    """Read the folders that are to train beside the document, and say what they hold."""
    from dlm.sources.reading import read_sources

    found = read_sources(document)
    if not allow_secrets:
        found.refuse_secrets()
    note(f"beside the document: {count(found.files, 'file')}, read again at each training")
    for text in found.notes:
        note(f"note: {text}")


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


def bring_up_to_date(path: PathArgument = None, dry_run: DryRunOption = False) -> None:
    """Bring the frontmatter of an older document up to date."""
    import difflib

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
