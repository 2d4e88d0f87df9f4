"""Which questions are asked of a trained version."""

from __future__ import annotations

from dlm.doc.parser import parse_text
from dlm.eval.probes import extract_probes

TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---
::instruction::
### Q
Plain?
### A
Yes.
### Q !probe
Probe?
### A
Asked.
### Q !exam
Exam?
### A
Sealed.
::
"""


def test_probes_and_sealed_questions_are_found_with_their_lines() -> None:
    document = parse_text(TEXT)
    probes = extract_probes(document)
    assert [(p.prompt, p.reference, p.line, p.sealed) for p in probes] == [
        ("Probe?", "Asked.", 11, False),
        ("Exam?", "Sealed.", 15, True),
    ]
    assert {p.section_id for p in probes} == {document.sections[0].section_id}
