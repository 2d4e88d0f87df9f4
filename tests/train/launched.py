"""Several `dlm` processes that train together, as a launcher starts them, without its imports."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any, Self

from warm import WarmProcess


class Launched:
    """Processes of one launch; a context manager that kills what is left of them."""

    def __init__(self, count: int, home: Path, *arguments: object) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {
            **os.environ,
            "DLM_HOME": str(home),
            "DLM_CHECKPOINT_SECONDS": "0",
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        self.processes = [
            WarmProcess(*arguments, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)})
            for rank in range(count)
        ]

    def ended(self) -> list[tuple[int, str, str]]:
        """Of each process, by rank, its exit status and what it said on both streams."""
        found = []
        for process in self.processes:
            output, errors = process.communicate(timeout=300)
            assert process.returncode is not None
            found.append((process.returncode, output, errors))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes:
            with process:
                process.kill()


def results(home: Path, dlm_id: str) -> list[tuple[str, Any]]:
    """Of each version its digest and the loss of every step."""
    found = []
    for folder in sorted((home / "store" / dlm_id / "adapter" / "versions").iterdir()):
        record = json.loads((folder / "training_run.json").read_text("utf-8"))
        digest = record["files"]["adapter_model.safetensors"]
        found.append((digest, record["run"]["figures"]["losses"]))
    return found
