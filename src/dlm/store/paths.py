"""Where things lie on disk. Knows no SQLite and never reads more than `adapter/current.txt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dlm.errors import StoreError
from dlm.files import disk_error, home

_SAFE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


def for_dlm(dlm_id: str) -> StorePath:
    """The places of one document's store; raises StoreError for an id that is no folder name."""
    if not _SAFE_ID.fullmatch(dlm_id):
        raise StoreError(
            f"{dlm_id!r} cannot be the dlm_id of a document",
            hint="an id is made of letters, digits, '-', '_' and '.'",
        )
    return StorePath(home() / "store" / dlm_id)


@dataclass(frozen=True, slots=True)
class StorePath:
    """The names below one store root."""

    root: Path

    @property
    def dlm_id(self) -> str:
        return self.root.name

    @property
    def database(self) -> Path:
        return self.root / "store.sqlite3"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def checkpoint(self) -> Path:
        """An unfinished training."""
        return self.root / "checkpoint.safetensors"

    @property
    def improving(self) -> Path:
        """Held by the process that improves the document."""
        return self.root / "improving"

    @property
    def environment_lock(self) -> Path:
        """Where the last training ran."""
        return self.root / "dlm.lock"

    @property
    def adapter(self) -> Path:
        return self.root / "adapter"

    @property
    def versions(self) -> Path:
        return self.adapter / "versions"

    @property
    def staging(self) -> Path:
        return self.adapter / "staging"

    @property
    def current_pointer(self) -> Path:
        return self.adapter / "current.txt"

    @property
    def is_used(self) -> bool:
        """Whether there is a database, or adapters that one can be rebuilt from."""
        return self.database.exists() or self.adapter.exists()

    def ensure_layout(self) -> None:
        """Create the folders that are missing, closed to other users; raises DlmError."""
        try:
            self.root.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.parent.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.root, self.adapter, self.versions, self.staging):
                folder.mkdir(mode=0o700, exist_ok=True)
                if folder.stat().st_mode & 0o077:
                    folder.chmod(0o700)
        except OSError as error:
            raise disk_error(self.root, error) from error

    def resolve_current_adapter(self) -> Path | None:
        """The folder `adapter/current.txt` names, or None when it names none that exists."""
        try:
            relative = Path(self.current_pointer.read_text(encoding="utf-8").strip())
            if relative.is_absolute() or ".." in relative.parts or not relative.parts:
                return None
            return self.root / relative if (self.root / relative).is_dir() else None
        except (OSError, ValueError):
            return None
