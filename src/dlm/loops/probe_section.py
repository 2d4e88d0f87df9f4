"""A probe as it stands in a document: the one shape for what is harvested and what is pushed."""

from __future__ import annotations

from dlm.doc.bodies import PairRole
from dlm.doc.provenance import Provenance
from dlm.doc.render import escape_body, normalise, render_pair
from dlm.doc.sections import SectionType
from dlm.loops.edits import Addition


def probe_addition(
    prompt: str, reference: str, provenance: Provenance, role: PairRole = PairRole.PROBE
) -> Addition:
    """The section of one probe; raises DocumentError for text that no document can hold."""
    body = render_pair(prompt, reference, role)
    answer = body.index("\n") + len(escape_body(normalise(prompt))) + 2
    spaced = f"{body[:answer]}\n{body[answer:]}"  # a blank line between the two, as people write
    summary = prompt.strip().split("\n", 1)[0]
    return Addition.of(SectionType.INSTRUCTION, spaced, provenance, summary=summary)
