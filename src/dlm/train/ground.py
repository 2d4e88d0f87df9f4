"""What every phase of a training stands on: the document, its base, and the machine to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlm.base_models import BaseModel
from dlm.data.chat import Codec
from dlm.data.lessons import Lessons
from dlm.data.rows import sequence_length
from dlm.doc.document import Document
from dlm.doc.schema import TrainingConfig
from dlm.hardware import Plan, detect, plan as plan_hardware, plan_again
from dlm.train.options import TrainOptions
from dlm.train.tools import Tools


@dataclass(frozen=True, slots=True)
class Ground:
    """As values, known before anything heavy is loaded."""

    document: Document
    lessons: Lessons
    base: BaseModel
    base_folder: Path
    base_fingerprint: str
    hardware: Plan
    codec: Codec
    sequence_length: int
    seed: int

    @property
    def name(self) -> str:
        return str(self.document.path or "document")


def lay_ground(
    document: Document,
    lessons: Lessons,
    options: TrainOptions,
    tools: Tools,
    hardware: Plan | None = None,
) -> Ground:
    """Choose how to run; `hardware` is that of an earlier run, to be taken over as it was."""
    config = document.frontmatter.training
    length = sequence_length(config, tools.codec.context_length)
    return Ground(
        document=document,
        lessons=lessons,
        base=tools.base,
        base_folder=tools.folder,
        base_fingerprint=tools.fingerprint,
        hardware=plan_again(detect(), hardware) if hardware else _hardware(config, tools, length),
        codec=tools.codec,
        sequence_length=length,
        seed=config.seed if options.seed is None else options.seed,
    )


def _hardware(config: TrainingConfig, tools: Tools, length: int) -> Plan:
    return plan_hardware(
        detect(),
        tools.base,
        sequence_length=length,
        micro_batch=config.micro_batch_size,
        grad_accum=config.grad_accum,
        precision=config.precision,
        lora_rank=config.lora_r,
    )
