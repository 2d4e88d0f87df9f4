"""Where a training runs, as far as it decides the bits of the result: libraries, machine, base.

Read from package metadata and the plan, so that it is known before torch is imported.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dlm.hardware import detect
from dlm.train.ground import Ground

Environment = Mapping[str, str]

_VECTORS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
_LIBRARIES = ("dlm", "torch", "transformers", "peft", "trl", "accelerate", "tokenizers")


def environment(plan: Ground) -> dict[str, str]:
    """Names and values, each of which can change the bytes of an adapter when it differs."""
    hardware = plan.hardware
    checkpointing = ", gradient checkpointing" if hardware.gradient_checkpointing else ""
    return {
        **versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "device": _device(hardware.device),
        "dtype": hardware.dtype,
        "threads": str(hardware.threads),
        "batch": f"{hardware.micro_batch} x {hardware.grad_accum}{checkpointing}",
        "base": f"{plan.base.key} {plan.base_fingerprint}",
    }


def versions() -> dict[str, str]:
    """Python and the libraries that take part in a training."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def differences(before: Environment, now: Environment) -> list[str]:
    """One short phrase for each name whose value differs, such as `torch was 2.13.0, is 2.14.1`."""
    return [
        f"{name} was {before.get(name, 'not recorded')}, is {now.get(name, 'not recorded')}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    """Its model, and the instructions that decide which kernels compute: a model may be masked."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    known = dict(re.findall(r"^(model name|flags)\s*:\s*(.+)$", text, re.M))
    vectors = [flag for flag in _VECTORS if flag in known.get("flags", "").split()]
    name = known.get("model name") or platform.processor() or "unknown"
    return f"{name.strip()} ({' '.join(vectors)})" if vectors else name


def _device(kind: str) -> str:
    gpus = detect().gpus if kind == "cuda" else ()
    return f"cuda ({gpus[0].name})" if gpus else kind
