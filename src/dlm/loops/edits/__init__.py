"""The one way a machine edits a document: planned, shown as a diff, applied, taken back."""

from dlm.loops.edits.applying import (
    Rebased,
    Refusal,
    Reverted,
    applied,
    rebase,
    reverted,
    summary_of,
)
from dlm.loops.edits.diffing import diff, unified
from dlm.loops.edits.files import (
    Applied,
    TakenBack,
    apply_to_file,
    carry_out,
    discard,
    replace_document,
    revert_to_file,
    stage,
    staged,
    take_back,
)
from dlm.loops.edits.places import is_edited
from dlm.loops.edits.plan import (
    Addition,
    EditPlan,
    NewPair,
    NewTriple,
    Place,
    Removal,
    new_run_id,
    plan_from_json,
    plan_to_json,
)

__all__ = [
    "Addition",
    "Applied",
    "EditPlan",
    "NewPair",
    "NewTriple",
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
    "plan_from_json",
    "plan_to_json",
    "rebase",
    "replace_document",
    "revert_to_file",
    "reverted",
    "stage",
    "staged",
    "summary_of",
    "take_back",
    "unified",
]
