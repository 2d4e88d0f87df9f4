"""The one way a machine edits a document: planned, shown as a diff, applied, taken back."""

from dlm.loops.edits.applying import Reverted, applied, reverted
from dlm.loops.edits.diffing import diff, unified
from dlm.loops.edits.plan import Addition, EditPlan, Place, Removal, new_run_id, short_id
from dlm.loops.edits.rebasing import Rebased, Refusal, rebase

__all__ = [
    "Addition",
    "EditPlan",
    "Place",
    "Rebased",
    "Refusal",
    "Removal",
    "Reverted",
    "applied",
    "diff",
    "new_run_id",
    "rebase",
    "reverted",
    "short_id",
    "unified",
]
