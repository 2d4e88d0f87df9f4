"""Cost of a training step through the trainer, against a bare PyTorch loop doing the same maths.

    uv run python benchmarks/step_overhead.py [FILE.dlm] [--steps 60] [--rounds 5]

Both run the same batches on the same resident model, in turn; the ratio of each round is printed
with the median. The fixed cost of entering the trainer once is printed apart.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from bare_loop import one_step

from dlm.data.rows import Row
from dlm.doc.parser import parse_file
from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan, make_plan
from dlm.train.trainer import RowTrainer, StepReport

_EXAMPLE = Path(__file__).parent.parent / "examples"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "document", type=Path, nargs="?", default=next(iter(sorted(_EXAMPLE.glob("*.dlm"))))
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    plan = make_plan(parse_file(options.document), TrainOptions())
    size = plan.optimisation.rows_per_step
    rows = list(plan.schedule.rows[: options.steps * size])
    shape = LoraSettings(16, 32, 0.0, "all-linear", 0)
    model = Model.load(plan.base_folder, plan.hardware, new_adapter=shape)
    trainer = RowTrainer(model, pad_id=plan.codec.pad_id)
    through_trainer(trainer, plan, rows[: 2 * size])
    bare(model, plan, rows[: 2 * size])

    ratios = []
    for number in range(1, options.rounds + 1):
        whole, step = through_trainer(trainer, plan, rows)
        plain = bare(model, plan, rows)
        ratios.append(step / plain)
        print(
            f"round {number}: bare {plain * 1e3:6.1f} ms a step, trainer {step * 1e3:6.1f} ms"
            f" (x{step / plain:.3f}), entering and leaving {whole:.2f} s"
        )
    print(f"median overhead a step: {100 * (statistics.median(ratios) - 1):+.1f} %")
    trainer.close()


def through_trainer(
    trainer: RowTrainer, plan: TrainingPlan, rows: list[Row]
) -> tuple[float, float]:
    """(seconds outside the steps, seconds a step)."""
    times = []

    def watch(report: StepReport) -> None:
        times.append(time.perf_counter())

    began = time.perf_counter()
    trainer.fit(rows, plan.optimisation, watch)
    whole = time.perf_counter() - began
    step = (times[-1] - times[0]) / (len(times) - 1)
    return whole - step * len(times), step


def bare(model: Model, plan: TrainingPlan, rows: list[Row]) -> float:
    """Seconds a step of the plain loop over the same batches."""
    size = plan.optimisation.rows_per_step
    parameters = [p for p in model.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.optimisation.learning_rate, weight_decay=0.0)
    model.network.train()
    times = [time.perf_counter()]
    for start in range(0, len(rows), size):
        one_step(model, rows[start : start + size], parameters, optimizer, plan.codec.pad_id)
        times.append(time.perf_counter())
    model.network.eval()
    return (times[-1] - times[1]) / (len(times) - 2)


if __name__ == "__main__":
    main()
