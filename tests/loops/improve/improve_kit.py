"""Documents, versions and rounds for the tests of improving, without any model."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from strategies import DLM_ID

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin, Provenance
from dlm.eval.figures import Figure
from dlm.loops.edits import Addition, EditPlan, NewPair, plan_to_json
from dlm.loops.improve.context import Context
from dlm.loops.improve.options import Clock, ImproveOptions, ImproveProgress
from dlm.loops.improve.teachers import enrol, own
from dlm.store import improving
from dlm.store.improving import Round, Step
from dlm.store.records import RunRecord, Version
from dlm.store.store import Store

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n\n"
AT = datetime(2026, 4, 23, 18, 42, 11, tzinfo=UTC)
SHED = """# The shed

The shed has nine lockers. The spare key hangs inside the drainpipe.
"""


def written(folder: Path, body: str = SHED) -> Path:
    path = folder / "notes.dlm"
    path.write_bytes((HEAD + body).encode())
    return path


def opened(path: Path, checkpoint: Callable[[str], None] = lambda step: None) -> Store:
    return Store.open(
        parse_file(path).frontmatter.dlm_id, base_model="pocket", checkpoint=checkpoint
    )


def commit(store: Store, document: Document, *, current: bool = True) -> Version:
    """Train, as far as the store can tell."""
    with store.new_version() as staging:
        tensors = {"lora_A.weight": np.full((4, 3), staging.number, np.float32)}
        save_file(tensors, str(staging.path / "adapter_model.safetensors"))
        (staging.path / "adapter_config.json").write_text(json.dumps({"r": 16}))
        run = RunRecord(
            run_id=secrets.token_hex(6),
            started_at=AT,
            ended_at=AT,
            base_key="pocket",
            base_fingerprint="f" * 64,
            document_sha256=document.sha256,
            document_path="notes.dlm",
            mode="fresh",
        )
        return staging.commit(run, (), current=current)


def plan_of(document: Document, question: str, answer: str, run: str) -> EditPlan:
    """One pair behind the first section."""
    after = document.sections[0].section_id
    provenance = Provenance(Origin.SYNTHESIZED, by="self:v0001", run=run, at=AT, derived_from=after)
    pair = Addition(provenance, pairs=(NewPair(question, answer),), after=after)
    return EditPlan(run, Origin.SYNTHESIZED, "self:v0001", AT, document.sha256, (pair,))


def begun(store: Store, path: Path) -> Version:
    """A document whose first version teaches."""
    document = parse_file(path)
    version = commit(store, document)
    with store.database.transaction():
        for spec in ("base", own(version)):
            enrol(store.database, document, spec, version, Figure(0.3, 20), "at first")
    return version


def decided(store: Store, path: Path, number: int, *, promote: bool = True) -> Round:
    """A round up to its verdict, with a plan of one pair and a candidate that knows it."""
    document, champion = parse_file(path), store.current()
    assert champion is not None
    challenger = commit(store, document, current=False)
    plan = plan_of(document, f"What is fact {number}?", f"It is fact {number}.", f"run-{number}")
    figure = {"value": 0.5, "n": 20, "low": 0.4, "high": 0.6, "note": ""}
    facts: dict[str, Any] = {
        "plan": plan_to_json(plan),
        "added": 1,
        "brings": "1 pair",
        "exam": {"champion": {"overall": figure}, "challenger": {"overall": figure}},
        "verdict": {
            "promote": promote,
            "met": [],
            "reasons": [] if promote else ["no better"],
            "contest": {"difference": {"value": 0.1}, "p": 0.01},
        },
    }
    with store.database.transaction():
        run = improving.open_run(store.database) or improving.begin_run(store.database, {})
        one = improving.begin_round(
            store.database,
            run.id,
            name=f"round-{number}",
            teacher=own(champion),
            strategy="extraction",
            document_sha256=document.sha256,
            champion=champion.number,
            facts={},
        )
        return improving.advance(
            store.database, one, Step.DECIDED, challenger=challenger.number, **facts
        )


def context(
    store: Store, path: Path, checkpoint: Callable[[str], None] = lambda step: None
) -> Context:
    options = ImproveOptions()
    return Context(
        path, parse_file(path), options, store, (), ImproveProgress(), Clock(None), checkpoint
    )


def in_child(action: Callable[[], object]) -> int:
    """Run `action` in a process of its own; returns its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        status = 1
        with suppress(BaseException):
            action()
            status = 0
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
