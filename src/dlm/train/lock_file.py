"""`dlm.lock`: where and from what the last training ran, so that another can be held to it.

It lies in the store, or beside the document as `<document>.lock` where the owner put such a file.
The environment is read from package metadata and the plan, before torch is imported.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dlm.doc.document import Document
from dlm.errors import CorruptStore, DlmError, TrainingError
from dlm.files import write_atomic
from dlm.hardware import detect
from dlm.launch import launch
from dlm.store.paths import for_dlm
from dlm.train.base import Setup

Environment = Mapping[str, str]

_VECTORS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
_LIBRARIES = ("dlm", "torch", "transformers", "peft", "trl", "accelerate", "tokenizers")


def environment(plan: Setup) -> dict[str, str]:
    """Names and values, each of which can change the bytes of an adapter when it differs."""
    hardware = plan.hardware
    checkpointing = ", gradient checkpointing" if hardware.gradient_checkpointing else ""
    return {
        **versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "device": _device(hardware.device),
        "dtype": ", ".join(filter(None, (hardware.dtype, hardware.quantization))),
        "threads": str(hardware.threads),
        "batch": f"{hardware.micro_batch} x {hardware.grad_accum}{checkpointing}",
        "base": f"{plan.base.key} {plan.base_fingerprint}",
        "processes": str(launch()),
    }


def versions() -> dict[str, str]:
    """Python and the libraries that take part in a training."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def differences(before: Environment, now: Environment) -> list[str]:
    """One short phrase for each name whose value differs, such as `torch was 2.13.0, is 2.14.1`."""
    return [
        f"{name} was {_value(before, name)}, is {_value(now, name)}"
        for name in dict.fromkeys([*before, *now])
        if _value(before, name) != _value(now, name)
    ]


def _value(environment: Environment, name: str) -> str:
    unsaid = "1" if name == "processes" else "not recorded"
    return environment.get(name, unsaid)


@cache
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


class LockMode(StrEnum):
    """What a difference from the lock does: one line of warning, a refusal, or a new lock."""

    WARN = "warn"
    STRICT = "strict"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Lock:
    """The environment of a training, and the document and seed it made `version` from."""

    environment: dict[str, str]
    document_sha256: str
    seed: int
    version: str


def lock_path(document: Document) -> Path:
    """Beside the document if a file is there already, otherwise in the store."""
    if document.path is not None:
        beside = document.path.with_name(f"{document.path.name}.lock")
        if beside.is_file():
            return beside
    return for_dlm(document.frontmatter.dlm_id).environment_lock


def read_lock(path: Path) -> Lock | None:
    """The lock in `path`, None for no file or an empty one; raises CorruptStore otherwise."""
    try:
        text = path.read_text("utf-8")
        return _LOCK.validate_python(json.loads(text)) if text.strip() else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise CorruptStore(
            f"the lock {path} cannot be read: {str(error).splitlines()[0]}",
            hint="`dlm train --update-lock` writes it anew",
        ) from error


def check_lock(plan: Setup, mode: LockMode) -> str | None:
    """A warning, if this is not the environment of the lock; with STRICT a TrainingError."""
    if mode is LockMode.UPDATE:
        return None
    path = lock_path(plan.document)
    lock = read_lock(path)
    if lock is None:
        if mode is LockMode.STRICT:
            raise TrainingError(
                f"there is no {path} to hold this training to",
                hint="a training without --strict-lock writes it",
            )
        return None
    changes = differences(lock.environment, environment(plan))
    if not changes:
        return None
    what = f"this is not the environment of {path}: {'; '.join(changes)}"
    if mode is LockMode.STRICT:
        raise TrainingError(what, hint="restore it, or accept this one: dlm train --update-lock")
    return f"{what} (--update-lock accepts it)"


def write_lock(plan: Setup, version: str, mode: LockMode) -> str | None:
    """Record a training that is done, unless the lock names another environment and stands.

    Returns a warning when the disk refuses: the version is committed by then.
    """
    path, now = lock_path(plan.document), environment(plan)
    before = None if mode is LockMode.UPDATE else read_lock(path)
    if before is not None and before.environment != now:
        return None
    lock = Lock(now, plan.document.sha256, plan.seed, version)
    try:
        write_atomic(path, f"{json.dumps(asdict(lock), indent=2)}\n".encode())
    except DlmError as error:
        return error.message
    return None


_LOCK = TypeAdapter(Lock)
