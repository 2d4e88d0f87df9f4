"""Whether there are triples to train after a version, and the plan of that."""

from __future__ import annotations

from dlm.data.lessons import distinct
from dlm.data.pair_rows import pair_rows
from dlm.doc.document import Document
from dlm.hardware import Plan
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.store.taught import taught_to
from dlm.train.ground import lay_ground
from dlm.train.options import TrainOptions
from dlm.train.preference.plan import PreferencePlan, make_preference_plan
from dlm.train.preference.taught import KnownTriples, compare
from dlm.train.start import require_same_base
from dlm.train.tools import Toolbox


def check_triples(document: Document, options: TrainOptions, toolbox: Toolbox) -> None:
    """Raise what would refuse the triples, before the pairs are trained."""
    if triples := distinct(toolbox.lessons(document).triples):
        tools = toolbox.of(document)
        ground = lay_ground(document, toolbox.checked(document), options, tools)
        pair_rows(triples, ground.codec, sequence_length=ground.sequence_length, path=ground.name)


def prepare_preference(
    document: Document,
    options: TrainOptions,
    store: Store,
    previous: Version | None,
    toolbox: Toolbox,
    *,
    hardware: Plan | None = None,
) -> PreferencePlan | None:
    """What the triples of the document ask for after `previous`, None when it knows them all.

    Without `previous` they follow a version that is still to be trained from the base. Raises
    DocumentError, TrainingError or BaseModelError before anything is changed.
    """
    if not toolbox.lessons(document).triples:
        return None
    tools = toolbox.of(document)
    ground = lay_ground(document, toolbox.checked(document), options, tools, hardware)
    taught = taught_to(store.database, previous.number) if previous else {}
    known = compare(ground.lessons, taught.values(), mined=not options.no_mined)
    asked_for_more = (options.epochs, options.max_steps, options.seed) != (None, None, None)
    if options.phase == "preference" and asked_for_more and not known.to_learn:
        known = KnownTriples(new=known.unchanged)
    if not known.to_learn:
        return None
    plan = make_preference_plan(ground, known, options, tools)
    if previous is not None:
        require_same_base(plan, store, previous)
    return plan
