"""What a planned preference phase will train on: for `dlm train --plan` and while it runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from dlm.data.preferences import balance
from dlm.store.records import Version
from dlm.train.preference.plan import PreferencePlan
from dlm.train.preference.verdict import contradicting


def summary(plan: PreferencePlan, previous: Version | None) -> str:
    """One line: which triples, by which method, after what."""
    known = plan.known
    parts = [
        (len(known.new), "new"),
        (len(known.slipped), "to learn again"),
        (len(known.unchanged), "known"),
    ]
    triples = ", ".join(f"{number} {what}" for number, what in parts if number)
    where = f"continues {previous.name}" if previous else "follows that"
    return f"preferences: {where}; triples: {triples}; {plan.objective.method}"


def warnings(plan: PreferencePlan) -> tuple[str, ...]:
    """What is wrong with the set of triples, a sentence each."""
    triples = (*plan.known.to_learn, *plan.known.unchanged)
    contradiction = contradicting(triples)
    return (*([contradiction] if contradiction else []), *balance(triples).warnings)


def sources(plan: PreferencePlan) -> list[tuple[str, int, float]]:
    """Who wrote the triples: origin, how many, trust."""
    triples = (*plan.known.to_learn, *plan.known.unchanged)
    found = Counter((one.origin, one.weight) for one in triples)
    return [(origin, number, weight) for (origin, weight), number in found.most_common()]


def preference_json(plan: PreferencePlan) -> dict[str, Any]:
    """The plan as plain values."""
    known = plan.known
    return {
        "method": plan.objective.method,
        "objective": asdict(plan.objective),
        "reference": plan.reference,
        "new": len(known.new),
        "again": len(known.slipped),
        "unchanged": len(known.unchanged),
        "sources": [
            {"source": origin, "triples": number, "weight": weight}
            for origin, number, weight in sources(plan)
        ],
        "balance": balance((*known.to_learn, *known.unchanged)).to_json(),
        "warnings": list(warnings(plan)),
        "epochs_at_most": len(plan.schedule.epoch_ends),
        "steps_at_most": plan.schedule.steps,
        "learning_rate": plan.optimisation.learning_rate,
    }
