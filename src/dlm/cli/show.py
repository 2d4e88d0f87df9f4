"""`dlm show` and `dlm report`: what the document holds, and what its model knows of it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import note, print_json, print_table, read_document, trained_store
from dlm.cli.edits import document_path
from dlm.cli.options import JsonOption, PathArgument
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.data.lessons import Lesson
    from dlm.doc.document import Document
    from dlm.doc.sections import Section


def show(
    path: PathArgument = None,
    sections: Annotated[bool, typer.Option("--sections", help="List every section.")] = False,
    mask: Annotated[
        bool, typer.Option("--mask", help="Print each row; what counts towards the loss is marked.")
    ] = False,
    learned: Annotated[
        bool, typer.Option("--learned", help="Say of each section whether it is learned.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what is in the document and what of it is trained."""
    document = read_document(path)
    if learned:
        from dlm.cli.eval import show_learned

        show_learned(document, as_json=as_json)
        return
    if mask:
        _print_mask(document, as_json)
        return
    facts = summary(document)
    if as_json:
        print_json({**facts, "sections": [section_json(item) for item in _visible(document)]})
        return
    _print_summary(document, facts)
    if sections:
        print()
        for section in _visible(document):
            print(_section_line(section))


def summary(document: Document) -> dict[str, Any]:
    """Counts over the document, and its trained version if there is one."""
    from dlm.doc.sections import SectionType

    frontmatter = document.frontmatter
    kinds = Counter(section.type.value for section in _visible(document))
    roles = Counter(pair.role.value for _, pair in document.pairs())
    prose = [s.content for s in document.sections if s.type is SectionType.PROSE]
    return {
        "path": str(document.path),
        "dlm_id": frontmatter.dlm_id,
        "dlm_version": frontmatter.dlm_version,
        "base_model": frontmatter.base_model,
        "sha256": document.sha256,
        "section_counts": dict(kinds),
        "pairs": sum(roles.values()),
        "probes": roles["probe"],
        "exam": roles["exam"],
        "triples": sum(len(section.triples) for section in document.sections),
        "prose_words": sum(len(text.split()) for text in prose),
        "sources": _sources(document),
        "trained": _trained(document),
    }


def _sources(document: Document) -> dict[str, Any] | None:
    """How much stands in files beside the document; None where it names none."""
    if not document.frontmatter.training.sources:
        return None
    from dlm.sources.reading import read_sources

    found = read_sources(document)
    for text in found.notes:
        note(f"note: {text}")
    words = sum(len(piece.text.split()) for piece in found.pieces)
    return {"files": found.files, "words": words}


def section_json(section: Section) -> dict[str, Any]:
    """One section with its provenance, as the neighbouring tools name it."""
    return {
        "section_id": section.section_id,
        "type": section.type.value,
        "line": section.line,
        "tag": section.tag,
        "pairs": len(section.pairs),
        "triples": len(section.triples),
        "words": len(section.content.split()),
        "auto_synth": section.auto_synth,
        "auto_harvest": section.auto_harvest,
        "auto_mined": section.auto_mined,
        "harvest_source": section.harvest_source,
        "origin": section.provenance.origin.value if section.provenance else "authored",
    }


def _trained(document: Document) -> dict[str, Any] | None:
    """The current version, and how the document differs from what it was trained on."""
    from dlm.data.matching import align

    with trained_store(document) as store:
        current = store.current() if store else None
        if store is None or current is None:
            return None
        run = store.run_of(current)
        memory = store.memory(current)
        known = [one.lesson for one in memory if not one.removed]
        changes = align(known, _lessons(document))
        changed = bool(changes.new or changes.removed)
    return {
        "version": current.name,
        "up_to_date": not changed
        or (run.document_sha256 == document.sha256 and not document.frontmatter.training.sources),
        "new": len(changes.new),
        "removed": len(changes.removed),
        "learned": run.figures.get("learned"),
        "pairs": run.figures.get("pairs"),
        "drift": run.figures.get("drift"),
    }


def _print_summary(document: Document, facts: dict[str, Any]) -> None:
    print(facts["path"])
    rows = {
        "id": facts["dlm_id"],
        "base": facts["base_model"],
        "prose": count(facts["prose_words"], "word"),
        "pairs": _pairs_text(facts),
    }
    if facts["sources"]:
        files = count(facts["sources"]["files"], "file")
        rows["sources"] = f"{files}, {count(facts['sources']['words'], 'word')}"
    if facts["triples"]:
        rows["preferences"] = count(facts["triples"], "triple")
    rows["model"] = _model_text(document, facts["trained"])
    print_table(rows)


def _pairs_text(facts: dict[str, Any]) -> str:
    marks = [f"{facts[name]} {name}" for name in ("probes", "exam") if facts[name]]
    return str(facts["pairs"]) + (f" ({', '.join(marks)})" if marks else "")


def _model_text(document: Document, trained: dict[str, Any] | None) -> str:
    if trained is None:
        return f"not trained yet: dlm train {document.path}"
    text = str(trained["version"])
    if trained["pairs"]:
        text += f", {trained['learned']} of {trained['pairs']} answers learned"
    if trained["drift"] is not None:
        text += f", drift {trained['drift']:+.2f}"
    if trained["up_to_date"]:
        return text + ", up to date"
    changes = f"{trained['new']} new or changed, {trained['removed']} gone"
    return f"{text}; the document changed since ({changes})"


def _section_line(section: Section) -> str:
    origin = section.provenance.origin.value if section.provenance else "authored"
    size = (
        count(len(section.pairs), "pair")
        if section.pairs
        else count(len(section.content.split()), "word")
    )
    first = next((line for line in section.content.split("\n") if line.strip()), "")
    if section.pairs:
        first = section.pairs[0].question.split("\n")[0]
    place = f"{section.line:>5}  {section.section_id}"
    return f"{place}  {section.type.value:<11}  {origin:<11}  {size:>9}  {first[:60]}"


def _visible(document: Document) -> list[Section]:
    from dlm.doc.sections import SectionType

    return [s for s in document.sections if s.type is not SectionType.PROSE or s.content.strip()]


def _lessons(document: Document) -> tuple[Lesson, ...]:
    """What the document would train, as far as it can."""
    from dlm.data.lessons import lessons_of, parts
    from dlm.errors import DlmError

    try:
        return parts(lessons_of(document).train)
    except DlmError:
        return ()


def _print_mask(document: Document, as_json: bool) -> None:
    from dlm.base_models import base_of
    from dlm.base_models.locate import local_folder
    from dlm.data.chat import Codec, show_mask
    from dlm.data.lessons import lessons_of
    from dlm.data.rows import encode_rows

    codec = Codec.load(
        local_folder(base_of(document)),
        system_prompt=document.frontmatter.system_prompt,
    )
    rows = encode_rows(
        lessons_of(document).train,
        codec,
        sequence_length=codec.context_length,
        path=str(document.path),
    )
    shown = [(row, show_mask(codec, row.encoded)) for row in rows]
    if as_json:
        print_json(
            [
                {
                    "line": row.lesson.line,
                    "file": row.lesson.file or None,
                    "kind": row.kind.value,
                    "weight": row.weight,
                    "pieces": pieces,
                }
                for row, pieces in shown
            ]
        )
        return
    note("what counts towards the loss stands between ⟦ and ⟧")
    for row, pieces in shown:
        size = f"weight {row.weight:g}, {len(row.ids)} tokens"
        print(f"{row.lesson.place}, {row.kind.value}, {size}")
        print("".join(f"⟦{text}⟧" if counted else text for text, counted in pieces))


def write_report(
    path: PathArgument = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write there instead of beside the document; - is standard output.",
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a page that says what the model knows."""
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
        import webbrowser

        if not webbrowser.open(target.resolve().as_uri()):
            note(f"note: no browser was found; open {target} yourself")
