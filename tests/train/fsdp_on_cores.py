"""`dlm` with the FSDP of accelerate on CPU cores, which accelerate itself uses on GPUs alone.

    accelerate launch --config_file fsdp.yaml tests/train/fsdp_on_cores.py train notes.dlm

All that shards, gathers and adds up is torch's and accelerate's own, over gloo.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from dlm.cli.app import main
from dlm.train import ranks

_plain = AcceleratorState.__init__


def _with_fsdp(self: Any, *arguments: Any, fsdp_plugin: Any = None, **named: Any) -> None:
    _plain(self, *arguments, fsdp_plugin=fsdp_plugin, **named)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.fsdp_plugin = fsdp_plugin
        shared = PartialState._shared_state
        self.distributed_type = shared["distributed_type"] = DistributedType.FSDP
        self.device = shared["device"] = torch.device("cpu")


def _on_cores(*, on_gpu: bool) -> None:
    """What refuses to spread a base without a GPU."""


if __name__ == "__main__":
    AcceleratorState.__init__ = _with_fsdp
    ranks.require_gpu = _on_cores
    main()
