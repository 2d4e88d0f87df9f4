"""torch and transformers, imported once, quiet and offline unless a download was asked for.

Import this before either of them. Everything that must be set before torch starts is set here.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from dlm.hardware import Plan

_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic matrix products on CUDA
}


def prepare() -> None:
    """Set what the libraries read while they are imported."""
    # A spinning OpenMP thread starves its neighbour on a busy machine (10x slower steps).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Weights are fetched by `base_models.locate` only; nothing below it may reach for the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore", module=r"(torch|transformers|peft|trl|accelerate|datasets)\b")
    for name in ("transformers", "trl", "accelerate", "datasets", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)


def start(plan: Plan) -> Any:
    """Import torch, set threads and determinism, and return it."""
    prepare()
    import torch

    torch.set_num_threads(plan.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if plan.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
    return torch
