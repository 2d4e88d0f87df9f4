"""Where the Hugging Face cache keeps a model, by its documented layout, without its client.

Starting `dlm prompt` must not pay for an HTTP library when the files are already here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dlm.base_models.folder import missing_file


def cached_snapshot(hf_id: str, revision: str) -> Path | None:
    """The folder of a whole cached copy: of `revision` if there is one, else of the main branch,
    else the newest of any other commit."""
    return next(
        (folder for folder in _snapshots(hf_id, revision) if not missing_file(folder)), None
    )


def partial_snapshot(hf_id: str, revision: str) -> Path | None:
    """A cached copy that lacks files, as an interrupted download leaves it."""
    return next(_snapshots(hf_id, revision), None)


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of the cache holds; None for any other folder."""
    return folder.name if folder.parent.name == "snapshots" else None


def cache_root() -> Path:
    """The cache folder, as the environment sets it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(name):
            return Path(value).expanduser()
    if value := os.environ.get("HF_HOME"):
        return Path(value).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def _snapshots(hf_id: str, revision: str) -> Iterator[Path]:
    repository = cache_root() / f"models--{hf_id.replace('/', '--')}"
    snapshots = repository / "snapshots"
    if not snapshots.is_dir():
        return
    named = [revision, *(_commit(repository, name) for name in (revision, "main"))]
    others = sorted(snapshots.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    candidates = [*(snapshots / name for name in named if name), *others]
    yield from dict.fromkeys(folder for folder in candidates if folder.is_dir())


def _commit(repository: Path, reference: str) -> str:
    try:
        return (repository / "refs" / reference).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
