"""What `dlm train` says of the triples of a document before it starts."""

from __future__ import annotations

import pytest

from dlm.cli.train import announce
from dlm.doc.parser import parse_text
from dlm.train.options import Phase

BODY = "### Prompt\nIs it {}?\n### Chosen\nYes.\n### Rejected\nYes, thank you.\n::\n"
TEXT = (
    "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
    "\nThe lamp is lit.\n"
    f"\n::preference::\n{BODY.format('lit')}"
    f'\n::preference::\n<!-- dlm-auto-mined: judge_name="sway" -->\n{BODY.format("dark")}'
)


@pytest.mark.parametrize(
    ("phase", "no_mined", "compared", "unused"),
    [("all", False, 2, 0), ("all", True, 1, 1), ("sft", False, 0, 2), ("preference", True, 1, 1)],
)
def test_triples_that_this_training_leaves_out_are_counted(
    phase: Phase, no_mined: bool, compared: int, unused: int, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(parse_text(TEXT), phase=phase, no_mined=no_mined)
    said = capsys.readouterr().err
    for what, count in (
        ("to compare afterwards", compared),
        ("not used by this training", unused),
    ):
        assert (f"{what}: {count} preference triple" in said) == (count > 0)
        assert (what in said) == (count > 0)
