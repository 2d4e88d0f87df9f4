"""`training_run.json` in a version folder: what a lost database is rebuilt from.

It holds the run and the digests of the files beside it, and no text of the document, since an
adapter folder may be handed on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlm.files import write_atomic
from dlm.store import weights
from dlm.store.records import RunRecord, Version, moment, version_name, version_number

RUN_FILE = "training_run.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A version as its folder tells it. `vouched` is False when its own record was unreadable."""

    version: Version
    run: RunRecord
    vouched: bool


def write_run_file(
    folder: Path, name: str, parent: str | None, at: datetime, run: RunRecord
) -> str:
    """Write the record into a staged folder and return the digest of the whole folder.

    What the trainer put into the file under other keys stays.
    """
    digests = weights.file_digests(folder)
    digests.pop(RUN_FILE, None)
    data = _read(folder) | {
        "version": name,
        "parent": parent,
        "created_at": at.isoformat(),
        "run": run.to_json(),
        "files": digests,
    }
    write_atomic(folder / RUN_FILE, (json.dumps(data, indent=2, default=str) + "\n").encode())
    return weights.folder_digest(digests | _own_digest(folder))


def find_version(folder: Path, number: int) -> Found:
    """Read a version back from its folder; one whose files changed gets a digest they fail."""
    data = _read(folder)
    name = version_name(number)
    try:
        run = RunRecord.from_json(data["run"])
        created, parent, digests = moment(data["created_at"]), data["parent"], dict(data["files"])
        if parent is not None and version_number(parent) is None:
            raise ValueError("the parent is no version")
        digest = weights.folder_digest(digests | _own_digest(folder))
    except (ValueError, TypeError, KeyError, AttributeError):
        run, created, parent = _unknown_run(folder, name), _changed_at(folder), None
        digest = weights.folder_digest(weights.file_digests(folder))
        return Found(Version(number, name, folder, digest, created, run.run_id, parent), run, False)
    return Found(Version(number, name, folder, digest, created, run.run_id, parent), run, True)


def _read(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / RUN_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _own_digest(folder: Path) -> dict[str, str]:
    return {RUN_FILE: weights.file_digest(folder / RUN_FILE)}


def _unknown_run(folder: Path, name: str) -> RunRecord:
    at = _changed_at(folder)
    return RunRecord(f"unknown-{name}", at, at, "", "", "", "", "fresh", stop_reason="unknown")


def _changed_at(folder: Path) -> datetime:
    return datetime.fromtimestamp(int(folder.stat().st_mtime), UTC)
