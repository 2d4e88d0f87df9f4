"""Laws of machine edits, on any document and any text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from edits_kit import addition, plan, plans
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import dlm_texts

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.doc.provenance import Origin
from dlm.doc.spans import Span, Splice, apply_splices
from dlm.errors import DlmError, DocumentError
from dlm.loops.edits import EditPlan, applied, diff, rebase, reverted
from dlm.loops.edits.plan import Place

SYNTH = (Origin.SYNTHESIZED,)
PLACES = st.sampled_from(("after", "end"))


def _parsed(text: str) -> Document:
    return parse_text(text)


def _fitting(document: Document, wanted: EditPlan, place: Place) -> EditPlan:
    return rebase(document, wanted, None, place).plan


@given(text=dlm_texts(), place=PLACES, data=st.data())
def test_apply_then_revert_gives_the_first_bytes(
    text: str, place: Place, data: st.DataObject
) -> None:
    document = parse_text(text)
    wanted = _fitting(document, data.draw(plans(document)), place)
    after = applied(document, wanted, place=place)
    assert len(after.sections) == len(document.sections) + len(wanted.additions)
    assert reverted(after, SYNTH, "r1").document.to_bytes() == document.to_bytes()
