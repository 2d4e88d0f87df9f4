"""Sends what a run measures to TensorBoard as well, where the extra is installed.

Knows nothing of the store; `recorder` gives it the same figures.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlm.errors import DlmError
from dlm.files import disk_error
from dlm.store.metrics import Evaluation, StepMetric


class TensorBoard:
    """Event files for one run, in a folder of its own below `folder`.

    Raises DlmError when TensorBoard is not installed or the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise DlmError(
                "TensorBoard is not installed", hint="pip install 'dlm[tensorboard]' adds it"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(folder, error) from error
        self._folder = folder
        self._writer: Any = None

    def begin(self, run_id: str, after: int) -> None:
        """Open the files; a resumed run replaces what it had shown `after` a step."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(
            str(self._folder / run_id), purge_step=after + 1 if after else None
        )

    def step(self, metric: StepMetric) -> None:
        """Loss, learning rate and speed of one step."""
        values = {
            "train/loss": metric.loss,
            "train/learning_rate": metric.learning_rate,
            "train/tokens_per_second": metric.tokens_per_second,
        }
        self._add(values, metric.step)

    def evaluation(self, metric: Evaluation) -> None:
        """Every figure of one evaluation that is a number, at its step."""
        figures = metric.figures.items()
        self._add({f"evaluation/{name}": value for name, value in figures}, metric.step)

    def close(self) -> None:
        """Flush and close the files."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, values: dict[str, Any], step: int) -> None:
        for name, value in values.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, step)
