"""Measures a version that lies in the store: loads it, asks it, and compares it."""

from __future__ import annotations

from pathlib import Path

from dlm.base_models import BaseModel
from dlm.data.chat import Codec
from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.engine.model import Model
from dlm.eval.drift import DriftGauge
from dlm.eval.measure import measure
from dlm.eval.scorecard import Scorecard
from dlm.hardware import detect, plan_answers
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.settings import sequence_length


def measure_version(
    store: Store, version: Version, document: Document, base: BaseModel, folder: Path
) -> Scorecard:
    """The scorecard of a version on the document as it stands; takes a model into memory.

    Raises CorruptStore when the version is damaged, and what `lessons_of` raises.
    """
    lessons = lessons_of(document)
    store.verify(version)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    with store.in_use(version):
        model = Model.load(folder, plan_answers(detect(), base), adapter=version.path)
    return measure(
        model,
        codec,
        lessons,
        DriftGauge(model, codec),
        document_sha256=document.sha256,
        sequence_length=sequence_length(document.frontmatter.training, codec.context_length),
    )
