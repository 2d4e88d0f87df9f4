"""Plans for the tests: additions with hostile or plain text on any document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, strategies as st
from strategies import DLM_ID, filled_strings, strings

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.sections import SectionType
from dlm.errors import DocumentError
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n"
AT = datetime(2026, 4, 23, 18, 42, 11, tzinfo=UTC)


def document(body: str, newline: str = "\n") -> Document:
    return parse_text((HEAD + body).replace("\n", newline))


def addition(
    question: str, answer: str = "Teal.", *, after: str | None = None, run: str = "r1"
) -> Addition:
    provenance = Provenance(Origin.SYNTHESIZED, by="self", run=run, at=AT, derived_from=after)
    return Addition(provenance, pairs=(NewPair(question, answer),), after=after)


def plan(on: Document, *additions: Addition, run: str = "r1") -> EditPlan:
    return EditPlan(run, Origin.SYNTHESIZED, "self", AT, on.sha256, additions)


@st.composite
def plans(draw: st.DrawFn, on: Document, run: str = "r1", most: int = 4) -> EditPlan:
    """Additions of every type with any text, after any sections of the document."""
    ids = st.none() | (
        st.sampled_from([section.section_id for section in on.sections])
        if on.sections
        else st.none()
    )
    additions = []
    for number in range(draw(st.integers(1, most))):
        after = draw(ids)
        kind = draw(
            st.sampled_from((SectionType.INSTRUCTION, SectionType.PREFERENCE, SectionType.PROSE))
        )
        content: dict[str, Any] = {}
        if kind is SectionType.INSTRUCTION:
            content["pairs"] = (NewPair(draw(filled_strings()), draw(filled_strings())),)
        elif kind is SectionType.PREFERENCE:
            content["triples"] = (NewTriple(*(draw(filled_strings()) for _ in range(3))),)
        else:
            content["prose"] = draw(strings()).replace("\r", "\n")
        provenance = Provenance(
            Origin.SYNTHESIZED,
            by=draw(st.text(st.characters(exclude_categories=()), max_size=5)),
            run=run,
            at=AT,
            derived_from=after if draw(st.booleans()) else None,
            scores={"n": float(number)},
        )
        additions.append(Addition(provenance, after=after, **content))
    return plan(on, *additions, run=run)


PIECES = (
    "Prose of a line.\n",
    "Prose,\nof two lines.\n\nAnd a paragraph.\n",
    "```\n::instruction::\n```\n",
    "::prose::\nFenced prose.\n::\n",
    "::prose#note::\nNever closed.\n",
    "::instruction::\n### Q\nOpen?\n### A\nYes.\n",
    "::instruction::\n### Q\nClosed?\n### A\nYes.\n::\n",
    "::instruction#n::\n<!-- mine -->\n### Q !exam\nSealed?\n### A\nYes.\n\n\n::\n",
    "::preference::\n### Prompt\np\n### Chosen\nc\n### Rejected\nr\n::  \n",
    '::image path="a.png"::\n::\n',
    "::\n",
    "\f\n",
    "odd\r",
    " \t\n",
    "\n",
    "\n\n",
    "\n",
    "~~~\nnot closed\n",
    "text\u2028text\x85\n",
)
MACHINE = (
    '::prose::\n<!-- dlm-auto-synth: run="old" -->\nOld.\n::\n',
    "::prose::\n<!-- dlm-auto-mined: -->\nOlder.\n",
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A document of pieces that tease whoever puts something between them."""
    pieces = draw(st.lists(st.sampled_from(PIECES + MACHINE), max_size=7))
    text = draw(st.sampled_from(("", "\ufeff"))) + HEAD + "".join(pieces)
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    text = text.replace("\n", draw(st.sampled_from(("\n", "\r\n"))))
    try:
        parse_text(text)
    except DocumentError:
        assume(False)
    return text
