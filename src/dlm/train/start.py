"""Where a training starts: at the base, or at the version whose memory it brings along."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.data.lessons import Lesson, distinct, parts
from dlm.data.rows import pair_rows
from dlm.doc.document import Document
from dlm.errors import BaseModelError
from dlm.hardware import Plan
from dlm.store.memory import taught_to
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.base import BaseCache, Setup, setup_of
from dlm.train.figures import Standing
from dlm.train.known import Known, KnownTriples, compare, compare_triples, everything
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan, make_plan
from dlm.train.report import Refusal
from dlm.train.triples import PreferencePlan, make_preference_plan

_SHAPE = ("lora_r", "lora_alpha", "lora_dropout", "target_modules")


@dataclass(frozen=True, slots=True)
class NothingToTrain:
    """`version` knows all that the document says; `kept` was removed from it and stays known.

    `unlearned` was trained and does not sit: a quick run leaves that to a whole one. `refused` is
    the preference phase that was not kept, `preferred` how new triples stood that needed none.
    """

    version: Version
    kept: tuple[Lesson, ...] = ()
    unlearned: tuple[Lesson, ...] = ()
    refused: Refusal | None = None
    preferred: Standing | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The plan of a run and the version it continues, None from the base.

    `notes` are sentences about settings that such a version cannot follow.
    """

    plan: TrainingPlan
    previous: Version | None
    notes: tuple[str, ...] = ()


def prepare(
    document: Document,
    options: TrainOptions,
    store: Store,
    *,
    hardware: Plan | None = None,
    base_cache: BaseCache | None = None,
) -> Start | NothingToTrain:
    """Compare the document with what the current version knows, and plan the run that follows.

    `hardware` is that of an earlier run, to be taken over as it was; `base_cache` that of a process
    that plans again and again. Raises DlmError before anything is changed.
    """
    base_cache = base_cache or BaseCache()
    here = parts(base_cache.lessons(document).train)
    previous = None if options.fresh else store.current()
    if previous is None:
        return Start(_plan(document, options, base_cache, hardware=hardware), None)
    known = _known(document, options, store, previous, here)
    if known.nothing_to_do or (options.quick and known.nothing_changed):
        return NothingToTrain(previous, tuple(one.lesson for one in known.kept), known.unlearned)
    plan = _plan(document, options, base_cache, known, number=previous.number, hardware=hardware)
    require_same_base(plan, store, previous)
    return Start(plan, previous, _shape_kept(plan, store, previous))


def _plan(
    document: Document,
    options: TrainOptions,
    base_cache: BaseCache,
    known: Known | None = None,
    *,
    number: int = 0,
    hardware: Plan | None,
) -> TrainingPlan:
    tools = base_cache.of(document)
    return make_plan(
        document,
        options,
        known,
        number=number,
        hardware=hardware,
        tools=tools,
        lessons=base_cache.checked(document),
        tell=base_cache.tell,
    )


def _known(
    document: Document,
    options: TrainOptions,
    store: Store,
    previous: Version,
    here: tuple[Lesson, ...],
) -> Known:
    memory = store.memory(previous)
    if not memory:  # made elsewhere, or its record was lost
        return everything(here)
    forget = options.forget or document.frontmatter.training.replay.removed == "forget"
    known = compare(memory, here, forget=forget)
    asked_for_more = (options.epochs, options.max_steps, options.seed) != (None, None, None)
    again = known.nothing_to_do and asked_for_more and not options.quick
    return everything(here) if again else known


def _shape_kept(plan: TrainingPlan, store: Store, previous: Version) -> tuple[str, ...]:
    """An adapter keeps the shape it was made with, whatever the frontmatter says since."""
    before = store.run_of(previous).config
    now = plan.document.frontmatter.training.model_dump(mode="json")
    changed = [key for key in _SHAPE if key in before and before[key] != now[key]]
    return tuple(
        f"training.{key} is {now[key]} now, but {previous.name} was made with {before[key]} and "
        "keeps it; `dlm train --fresh` makes a new adapter"
        for key in changed
    )


def require_same_base(plan: Setup, store: Store, previous: Version) -> None:
    """Raise BaseModelError when `previous` was made for other weights than the plan's."""
    run = store.run_of(previous)
    if run.base_fingerprint != plan.base_fingerprint:
        raise BaseModelError(
            f"{previous.name} was trained on {run.base_key}, not on this {plan.base.key}: "
            "an adapter fits only the weights it was trained on",
            hint="`dlm train --fresh` starts over on the new base; or restore base_model",
        )


def check_triples(document: Document, options: TrainOptions, base_cache: BaseCache) -> None:
    """Raise what would refuse the triples, before the pairs are trained."""
    if triples := distinct(base_cache.lessons(document).triples):
        tools = base_cache.of(document)
        setup = setup_of(document, base_cache.checked(document), options, tools)
        pair_rows(triples, setup.codec, sequence_length=setup.sequence_length, path=setup.name)


def prepare_preference(
    document: Document,
    options: TrainOptions,
    store: Store,
    previous: Version | None,
    base_cache: BaseCache,
    *,
    hardware: Plan | None = None,
) -> PreferencePlan | None:
    """What the triples of the document ask for after `previous`, None when it knows them all.

    Without `previous` they follow a version that is still to be trained from the base. Raises
    DocumentError, TrainingError or BaseModelError before anything is changed.
    """
    if not base_cache.lessons(document).triples:
        return None
    tools = base_cache.of(document)
    setup = setup_of(document, base_cache.checked(document), options, tools, hardware)
    taught = taught_to(store.database, previous.number) if previous else {}
    known = compare_triples(setup.lessons, taught.values(), mined=not options.no_mined)
    asked_for_more = (options.epochs, options.max_steps, options.seed) != (None, None, None)
    if options.phase == "preference" and asked_for_more and not known.to_learn:
        known = KnownTriples(new=known.unchanged)
    if not known.to_learn:
        return None
    plan = make_preference_plan(setup, known, options, tools)
    if previous is not None:
        require_same_base(plan, store, previous)
    return plan
