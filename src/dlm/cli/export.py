"""`dlm export`: a version for other programs, and whether it answers there as it does here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import note, print_json, print_table, read_document, shown
from dlm.cli.options import JsonOption, PathArgument, one_of
from dlm.errors import DlmError, UsageError

if TYPE_CHECKING:
    from dlm.export.check.run import Checked
    from dlm.export.source import Source


def export(
    path: PathArgument = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="FORM",
            help="peft, merged, gguf-adapter, gguf, ollama or vllm.",
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="vNNNN", help="Export this version instead of the current one."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="The folder. Default: NAME-FORM beside PATH."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Ask the export the document's probes; without --target, the one in --out.",
        ),
    ] = False,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Of merged weights: f32, f16 or bf16.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version for other programs."""
    from dlm.export.source import open_source
    from dlm.export.targets import Target
    from dlm.export.weights import Precision

    if target is None:
        if not (check and out) or version or precision:
            names = ", ".join(Target)
            raise UsageError("--target is missing", hint=f"it is one of {names}")
        _check_again(path, Path(out), as_json=as_json)
        return
    wanted = Target(one_of("--target", target, Target))
    kept = Precision(one_of("--precision", precision or Precision.F32, Precision))
    document = read_document(path)
    from dlm.export.folder import check_free, new_folder
    from dlm.export.targets import write_target

    beside = document.path or Path("notes.dlm")
    place = Path(out) if out else beside.with_name(f"{beside.stem}-{wanted}")
    check_free(place)
    with open_source(document, version, note) as source:
        note(f"writing {source.version.name} as {wanted} …")
        checked = None
        with new_folder(place) as folder:
            written = write_target(source, wanted, kept, folder)
            if check:
                checked = _checked(source, wanted, folder, _hint(kept))
    facts = {"out": str(place), **written.manifest}
    if as_json:
        print_json(facts | {"checked": checked.to_json() if checked else None})
        return
    print(f"{source.version.name} of {document.path} is in {place}")
    print_table(_sizes(place, written.manifest))
    print(f"run: {written.use.replace('OUT', str(place))}")


def _check_again(path: str | None, place: Path, *, as_json: bool) -> None:
    """Check an earlier export as it lies there."""
    from dlm.export.folder import read_manifest
    from dlm.export.source import open_source
    from dlm.export.targets import Target

    manifest = read_manifest(place)
    if manifest is None:
        raise DlmError(f"{place} is no export of dlm", hint="export one with --target")
    document = read_document(path)
    if manifest["dlm_id"] != document.frontmatter.dlm_id:
        raise DlmError(
            f"{place} was exported from another document",
            hint=f"it belongs to the document with dlm_id {manifest['dlm_id']}",
        )
    with open_source(document, manifest["version"], note) as source:
        checked = _checked(source, Target(manifest["target"]), place, "export it again")
    if as_json:
        print_json({"out": str(place), **manifest, "checked": checked.to_json()})


def _hint(precision: Any) -> str:
    """What to try when a new export fails its check."""
    if precision == "f32":
        return "nothing was written; without --check it is"
    return "nothing was written; --precision f32 keeps the weights as they are"


def _checked(source: Source, target: Any, folder: Path, hint: str) -> Checked:
    """Ask, and say what was found; DlmError where an answer differs."""
    from dlm.export.check.run import check_export

    checked = check_export(source, target, folder, note)
    for verdict in checked.verdicts:
        same = verdict.asked - len(verdict.differences)
        note(f"{verdict.runner}: {same} of {verdict.asked} answered as {source.version.name} does")
        for one in verdict.differences:
            note(f"  line {one.asked.line}: {shown(one.asked.question)}")
            if one.other_prompt:
                note("    the template of the export asks it otherwise")
            note(f"    {source.version.name}: {shown(one.asked.answer)}")
            note(f"    export: {shown(one.answer)}")
    if not checked.same:
        raise DlmError("the export does not answer as the store's version does", hint=hint)
    return checked


def _sizes(place: Path, manifest: dict[str, Any]) -> dict[str, str]:
    return {name: f"{(place / name).stat().st_size:,} bytes" for name in manifest["files"]}
