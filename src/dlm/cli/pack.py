"""`dlm pack`, `verify` and `unpack`: a document with its store as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import note, print_json, print_table, read_document
from dlm.cli.options import JsonOption, PathArgument
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.pack.layout import Contents

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A .dlmpack file.")]


def pack(
    path: PathArgument = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Default: NAME.dlmpack beside the document."),
    ] = None,
    with_base: Annotated[
        bool, typer.Option("--with-base", help="Put the base model in, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put the document and its store into one file."""
    from dlm.pack.writing import pack as write

    document = read_document(path)
    beside = document.path or Path("notes.dlm")
    place = Path(out) if out else beside.with_suffix(".dlmpack")
    contents = write(document, place, note, with_base=with_base)
    _say(contents, place, f"packed {document.path} into {place}", as_json=as_json)


def verify(file: FileArgument, as_json: JsonOption = False) -> None:
    """Check every part of a packed document."""
    from dlm.pack.reading import Pack

    place = Path(file)
    with Pack(place) as opened:
        opened.verify()
        _say(opened.contents, place, f"{place} is whole", as_json=as_json)


def unpack(
    file: FileArgument,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where the document goes.")
    ] = ".",
    as_json: JsonOption = False,
) -> None:
    """Bring a packed document here, with its store."""
    from dlm.pack.unpacking import unpack as put

    done = put(Path(file), Path(out), note)
    if as_json:
        print_json(
            {
                "document": str(done.document),
                "store": str(done.store) if done.store else None,
                "base": str(done.base) if done.base else None,
                "versions": done.versions,
                "current": done.current,
            }
        )
        return
    versions = count(len(done.versions), "version")
    print(f"unpacked {done.document}: {versions}, {done.current} is current")
    if done.store is None:
        print("its store was here already")
    if done.base is not None:
        print(f"its base is in {done.base}")


def _say(contents: Contents, place: Path, sentence: str, *, as_json: bool) -> None:
    size = place.stat().st_size
    if as_json:
        facts: dict[str, Any] = {"file": str(place), "bytes": size, **contents.to_json()}
        print_json(facts)
        return
    print(sentence)
    print_table(
        {
            "document": contents.file_name,
            "versions": f"{', '.join(contents.versions)} (current: {contents.current})",
            "base": contents.base + ("" if contents.below("base/") else " (not packed)"),
            "size": f"{size:,} bytes in {count(len(contents.members), 'member')}",
        }
    )
