"""`manifest.json`: what a store holds, for programs that read no SQLite. Derived, never the truth.

An editor may write one (id and base model alone) before anything was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlm.errors import CorruptStore, StoreError
from dlm.files import write_atomic
from dlm.store.records import MAX_NUMBER, PointerMove


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A summary of one store. `last_number` is the highest version number ever given out."""

    dlm_id: str
    base_model: str = ""
    created_at: str | None = None
    current_version: str | None = None
    versions: tuple[str, ...] = ()
    last_number: int = 0
    adapter_history: tuple[PointerMove, ...] = ()


def save_manifest(path: Path, manifest: Manifest) -> None:
    """Replace `path` atomically by `manifest`; raises DlmError when the disk refuses."""
    data = {
        "dlm_id": manifest.dlm_id,
        "base_model": manifest.base_model,
        "created_at": manifest.created_at,
        "current_version": manifest.current_version,
        "versions": list(manifest.versions),
        "last_number": manifest.last_number,
        "adapter_history": [move.to_json() for move in manifest.adapter_history],
    }
    write_atomic(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())


def load_manifest(path: Path) -> Manifest:
    """Read a manifest; keys it does not know are ignored.

    Raises StoreError when there is none and CorruptStore when it is not a manifest.
    """
    try:
        return _manifest(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CorruptStore(
            f"{path} is not a manifest", hint="it is written anew when dlm opens the store"
        ) from error


def _manifest(data: Mapping[str, Any]) -> Manifest:
    manifest = Manifest(
        dlm_id=data["dlm_id"],
        base_model=data.get("base_model") or "",
        created_at=data.get("created_at"),
        current_version=data.get("current_version"),
        versions=tuple(data.get("versions") or ()),
        last_number=data.get("last_number") or 0,
        adapter_history=tuple(map(PointerMove.from_json, data.get("adapter_history") or ())),
    )
    optional = (manifest.created_at or "", manifest.current_version or "")
    texts = (manifest.dlm_id, manifest.base_model, *optional, *manifest.versions)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a manifest with something else in place of a text")
    if not isinstance(manifest.last_number, int) or not 0 <= manifest.last_number <= MAX_NUMBER:
        raise TypeError("a manifest with an impossible version number")
    return manifest
