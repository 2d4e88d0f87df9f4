"""The one way a machine edits a document: planned, shown as a diff, applied, taken back."""

from dlm.loops.edits.applying import Reverted, applied, reverted, summary_of
from dlm.loops.edits.diffing import diff, unified
from dlm.loops.edits.files import (
    Applied,
    TakenBack,
    apply_to_file,
    replace_document,
    revert_to_file,
)
from dlm.loops.edits.keeping import carry_out, discard, stage, staged, take_back
from dlm.loops.edits.places import is_edited
from dlm.loops.edits.plan import Addition, EditPlan, Place, Removal, new_run_id, short_id
from dlm.loops.edits.rebasing import Rebased, Refusal, rebase

__all__ = [
    "Addition",
    "Applied",
    "EditPlan",
    "Place",
    "Rebased",
    "Refusal",
    "Removal",
    "Reverted",
    "TakenBack",
    "applied",
    "apply_to_file",
    "carry_out",
    "diff",
    "discard",
    "is_edited",
    "new_run_id",
    "rebase",
    "replace_document",
    "revert_to_file",
    "reverted",
    "short_id",
    "stage",
    "staged",
    "summary_of",
    "take_back",
    "unified",
]
