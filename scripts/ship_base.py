"""Write what ships with a base besides its weights: its samples, and what it says to fixed texts.

Where the weights or the prompts changed, remove the files first.

uv run python scripts/ship_base.py pocket
uv run python scripts/ship_base.py smollm2-135m-q4
"""

from __future__ import annotations

import sys
from pathlib import Path

import dlm.base_models
from dlm.base_models import resolve
from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec
from dlm.data.lessons import Lessons
from dlm.engine.model import Model
from dlm.eval.base_memory import SHIPPED as figures_file
from dlm.eval.measure import Evaluator
from dlm.eval.probes import question_sheet
from dlm.hardware import detect, plan_answers
from dlm.train.samples import SHIPPED as samples_file, encoded, samples_of, take_samples

base = resolve(sys.argv[1])
folder = local_folder(base)
shipped = Path(dlm.base_models.__file__).parent / base.key
shipped.mkdir(exist_ok=True)
samples = samples_of(folder) or take_samples(base, folder)
(shipped / samples_file).write_bytes(encoded(samples, fingerprint(folder)))
print(f"{len(samples)} samples in {shipped / samples_file}")

codec = Codec.load(folder)
evaluator = Evaluator(Model.load(folder, plan_answers(detect(), base)), codec)
everyday = question_sheet(Lessons(()))
evaluator.measure(everyday, codec, document_sha256="", sequence_length=0)
(shipped / figures_file).write_bytes(evaluator.memory.encoded())
print(f"figures in {shipped / figures_file}")
