"""Whether this process is one of several that torchrun or `accelerate launch` started together.

Read from the environment that both set; knows nothing of torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

_SET = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Launch:
    """Which of how many processes this is, on all machines and on this one.

    `sharded`: the base is spread over them by FSDP, as accelerate is configured.
    """

    rank: int = 0
    processes: int = 1
    local_rank: int = 0
    local_processes: int = 1
    sharded: bool = False

    @property
    def several(self) -> bool:
        return self.processes > 1

    @property
    def leads(self) -> bool:
        """Whether it is the one that plans, measures, writes and speaks."""
        return self.rank == 0

    def __str__(self) -> str:
        return f"{self.processes}{', FSDP' if self.sharded else ''}"


ALONE = Launch()


def launch(environment: Mapping[str, str] | None = None) -> Launch:
    """How this process was started; alone unless a launcher set all that it sets.

    A cluster may set some of it for every program that it runs.
    """
    found = os.environ if environment is None else environment
    if not all(found.get(name) for name in _SET) or int(found["WORLD_SIZE"]) < 2:
        return ALONE
    return Launch(
        rank=int(found["RANK"]),
        processes=int(found["WORLD_SIZE"]),
        local_rank=int(found["LOCAL_RANK"]),
        local_processes=int(found.get("LOCAL_WORLD_SIZE") or 1),
        sharded=found.get("ACCELERATE_USE_FSDP", "").lower() == "true",
    )
