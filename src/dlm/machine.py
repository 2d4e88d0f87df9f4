"""What this process has to compute with: cores, memory, GPUs. Reads files and asks `nvidia-smi`.

Never imports torch, so that a plan can be refused before the slow part starts.
"""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_GB: Final = 1e9


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU. `compute` is its compute capability, such as (9, 0)."""

    name: str
    memory_gb: float
    free_gb: float
    compute: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores and memory this process may use; 0 gigabytes means unknown."""

    cores: int
    memory_gb: float
    available_gb: float
    gpus: tuple[Gpu, ...] = ()
    mps: bool = False


def detect() -> Machine:
    """The machine as this process sees it: affinity, container limits and visible GPUs included."""
    total, available = memory_within(Path("/"))
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return Machine(cores_within(Path("/")), total, available, _gpus(), apple)


def cores_within(root: Path) -> int:
    """Cores by affinity, and not more than a container's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    for folder in _groups(root, "cpu"):
        quota = _text(folder / "cpu.max").split()  # cgroup 2: "quota period"
        if not quota:
            quota = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():
            cores = min(cores, max(1, math.ceil(int(quota[0]) / int(quota[1]))))
    return cores


def memory_within(root: Path) -> tuple[float, float]:
    """Gigabytes in total and available, within a container's limit."""
    info = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE))
    if not info:
        return _physical()
    total = int(info["MemTotal"]) * 1024
    available = int(info["MemAvailable"]) * 1024
    for folder in _groups(root, "memory"):
        limit = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")
        used = _text(folder / "memory.current") or _text(folder / "memory.usage_in_bytes")
        if limit.isdigit() and used.isdigit() and int(limit) < total:
            total = int(limit)
            available = min(available, max(0, total - int(used) + _reclaimable(folder)))
    return total / _GB, available / _GB


def _physical() -> tuple[float, float]:
    """Memory where there is no /proc; what is free is not told, so half is taken to be."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GB
    except (AttributeError, ValueError, OSError):
        return 0.0, 0.0
    return total, total / 2


def _reclaimable(folder: Path) -> int:
    """File cache that the kernel counts as used and gives back when asked."""
    found = re.search(
        r"^(?:total_)?inactive_file (\d+)$", _text(folder / "memory.stat"), re.MULTILINE
    )
    return int(found[1]) if found else 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group and of all above it, for either cgroup version."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        top = root / "sys/fs/cgroup" / (names and controller)
        below = [part for part in path.split("/") if part]
        yield from (top.joinpath(*below[:depth]) for depth in range(len(below) + 1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _gpus() -> tuple[Gpu, ...]:
    """The GPUs that torch would see: those the driver names, if this torch is built for them."""
    if not _torch_has_cuda():
        return ()
    query = "--query-gpu=name,memory.total,memory.free,compute_cap"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(done.stdout, os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(listing: str, visible: str | None) -> tuple[Gpu, ...]:
    """GPUs in `nvidia-smi`'s table, narrowed as CUDA_VISIBLE_DEVICES asks."""
    rows = [[cell.strip() for cell in line.rsplit(",", 3)] for line in listing.splitlines()]
    gpus = [
        Gpu(row[0], _mib(row[1]), _mib(row[2]), _capability(row[3]))
        for row in rows
        if len(row) == 4
    ]
    if visible is None:
        return tuple(gpus)
    chosen = [name.strip() for name in visible.split(",")]
    if not all(name.isdigit() for name in chosen):
        # Empty and -1 hide all; a name of another kind (GPU-…, MIG-…) cannot be matched to a row.
        return () if visible.strip() in ("", "-1") else tuple(gpus[:1])
    return tuple(gpus[int(name)] for name in chosen if int(name) < len(gpus))


def _mib(cell: str) -> float:
    # GPUs that share the main memory answer "[N/A]".
    return float(cell) * 1024**2 / _GB if re.fullmatch(r"[\d.]+", cell) else 0.0


def _capability(cell: str) -> tuple[int, int]:
    major, _, minor = cell.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _torch_has_cuda() -> bool:
    """Whether the installed torch is a CUDA build, read from its version file, not imported."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = _text(Path(spec.origin).parent / "version.py")
    return re.search(r"^cuda\b.*=\s*'", version, re.MULTILINE) is not None
