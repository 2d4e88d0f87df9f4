"""What a preference phase did, or why it was refused, as lines on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import count, print_table
from dlm.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlm.doc.document import Document
    from dlm.train.preference.figures import PhaseFigures, Standing
    from dlm.train.report import Refusal


def preference_rows(figures: PhaseFigures) -> dict[str, str]:
    """Aligned `name  value` rows for `print_table`."""
    before, after = figures.before, figures.after
    triples = count(figures.new, "triple")
    if figures.replayed:
        triples += f", {figures.replayed} known ones replayed"
    rows = {
        "triples": f"{triples}, {figures.method}",
        "preferred": f"{before.preferred} → {after.preferred} of {after.n} chosen answers; "
        f"margin {before.margin:+.2f} → {after.margin:+.2f} nats a token",
        "likelihood": f"chosen {_loss(before, after, 'chosen_nll')}, "
        f"rejected {_loss(before, after, 'rejected_nll')} nats a token lost",
    }
    if figures.seen:
        rows["agreement"] = (
            f"{figures.seen_right} of {figures.seen} were preferred more before they were trained "
            "themselves"
        )
    if before.tokens is not None and after.tokens is not None:
        rows["answers"] = f"{before.tokens:.1f} → {after.tokens:.1f} tokens long"
    rows["balance"] = str(figures.balance)
    return rows


def print_refusal(refusal: Refusal) -> None:
    """What the refused phase came to; the sentences follow as an error."""
    if refusal.figures is not None:
        print("preference phase, not kept")
        print_table(preference_rows(refusal.figures))


def print_despite(reasons: Sequence[str]) -> None:
    """Why a phase would have been refused that was forced."""
    for reason in reasons:
        print(f"  kept by --force, although {reason}")


def refusal_error(document: Document, refusal: Refusal) -> TrainingError:
    """The reasons in one sentence, what stays, and what can be done."""
    again = "was refused before" if refusal.before else "is refused"
    return TrainingError(
        f"the preference phase {again}: {'; '.join(refusal.reasons)}. "
        f"{refusal.version.name} stays current",
        hint=f"change the triples of {document.path or 'the document'}, "
        "or keep the phase all the same: dlm train --force",
    )


def _loss(before: Standing, after: Standing, name: str) -> str:
    return f"{getattr(before, name):.2f} → {getattr(after, name):.2f}"
