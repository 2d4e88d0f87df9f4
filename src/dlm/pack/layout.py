"""What a pack holds, by name: a manifest first, then the members that it declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dlm.errors import DlmError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DOCUMENT: Final = "document/"
STORE: Final = "store/"
BASE: Final = "base/"
DATABASE: Final = f"{STORE}store.sqlite3"
VERSIONS: Final = f"{STORE}adapter/versions/"
ENVIRONMENT: Final = f"{STORE}dlm.lock"

# No separator of any system, no control character, no device name of Windows, no hidden file.
_CHARACTER: Final = r"[^\x00-\x1f\x7f/\\:*?\"<>|]"
_NAME: Final = rf"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))(?![ .]){_CHARACTER}+"
_FILE: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_MEMBER: Final = re.compile(
    rf"document/{_NAME}\.dlm"
    r"|store/store\.sqlite3|store/dlm\.lock"
    rf"|store/adapter/versions/v\d{{4,9}}/{_FILE}\.(?:json|safetensors)"
    rf"|base/(?:{_FILE}\.(?:json|safetensors|jinja|model)|merges\.txt|LICENSE[A-Za-z0-9._-]*)"
)
_LARGEST_DOCUMENT: Final = 256 << 20  # bytes
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class BadPack(DlmError):
    """A file that is no pack, or one that is not whole or not safe to unpack."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a pack, as its manifest declares it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What the manifest of a pack says."""

    dlm_id: str
    current: str
    versions: tuple[str, ...]
    base: str
    base_fingerprint: str
    members: tuple[Member, ...]

    @property
    def document(self) -> Member:
        return next(one for one in self.members if one.name.startswith(DOCUMENT))

    @property
    def file_name(self) -> str:
        """What the document is called."""
        return self.document.name.removeprefix(DOCUMENT)

    @property
    def size(self) -> int:
        """Bytes of all members, unpacked."""
        return sum(one.size for one in self.members)

    def below(self, prefix: str) -> tuple[Member, ...]:
        """The members whose names begin so."""
        return tuple(one for one in self.members if one.name.startswith(prefix))

    def to_json(self) -> dict[str, Any]:
        """What stands in the manifest."""
        return {
            "format": FORMAT,
            "dlm_id": self.dlm_id,
            "current": self.current,
            "versions": list(self.versions),
            "base": self.base,
            "base_fingerprint": self.base_fingerprint,
            "members": {one.name: {"size": one.size, "sha256": one.sha256} for one in self.members},
        }


def may_hold(name: str) -> bool:
    """Whether a pack may have a member of this name."""
    return _MEMBER.fullmatch(name) is not None


def contents_of(data: object) -> Contents:
    """The contents that a manifest declares; BadPack, saying why, for anything else."""
    if not isinstance(data, Mapping) or not isinstance(data.get("format"), int):
        raise BadPack("its manifest is not that of a pack")
    if data["format"] > FORMAT:
        raise BadPack("it was packed by a newer dlm", hint="upgrade dlm to unpack it")
    try:
        members = tuple(_member(name, said) for name, said in data["members"].items())
        texts = [data[key] for key in ("dlm_id", "current", "base", "base_fingerprint")]
        versions = data["versions"]
        if not all(isinstance(one, str) for one in [*texts, *versions]):
            raise BadPack("its manifest is damaged")
    except (KeyError, TypeError, AttributeError) as error:
        raise BadPack("its manifest is damaged") from error
    documents = [one for one in members if one.name.startswith(DOCUMENT)]
    if len(documents) != 1 or not any(one.name == DATABASE for one in members):
        raise BadPack("it does not hold one document and its store")
    if documents[0].size > _LARGEST_DOCUMENT:
        raise BadPack("its document is too large to be one")
    dlm_id, current, base, fingerprint = texts
    contents = Contents(dlm_id, current, tuple(versions), base, fingerprint, members)
    held = {one.name.removeprefix(VERSIONS).partition("/")[0] for one in contents.below(VERSIONS)}
    if held != set(versions) or current not in held:
        raise BadPack("it does not hold the versions that it declares")
    return contents


def _member(name: str, said: Mapping[str, Any]) -> Member:
    size, digest = said["size"], said["sha256"]
    if not may_hold(name):
        raise BadPack(f"it declares {name!r}, which is no part of a pack")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise BadPack(f"it declares no size of {name}")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise BadPack(f"it declares no checksum of {name}")
    return Member(name, size, digest)
