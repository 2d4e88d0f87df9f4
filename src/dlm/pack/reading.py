"""Reading a pack from elsewhere: its names, its sizes and its checksums, before any of it is used.

Writes only where it is told to, and never more of a member than the manifest declares.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from dlm.doc.parser import parse_bytes
from dlm.pack.layout import MANIFEST, BadPack, Contents, Member, contents_of, may_hold

_BLOCK: Final = 1 << 20
_LARGEST_MANIFEST: Final = 16 << 20  # bytes
_MOST_MEMBERS: Final = 100_000
_ENCRYPTED: Final = 1  # a flag of a member
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Pack:
    """An open pack whose names and sizes are in order; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open and look through the file. BadPack, in one sentence, when it is not in order."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise BadPack(f"there is no file {path}") from error
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise BadPack(f"{path} is no pack of dlm: {error}") from error
        try:
            with self._named():
                self._infos = self._looked_through()
                self.contents = self._read_contents()
                self._compare()
        except BaseException:
            self._zip.close()
            raise

    def verify(self) -> None:
        """Read every member and compare it with its checksum; BadPack where something differs."""
        for member in self.contents.members:
            for _ in self.blocks(member):
                pass
        document = parse_bytes(self.read(self.contents.document), Path(self.contents.file_name))
        if document.frontmatter.dlm_id != self.contents.dlm_id:
            with self._named():
                raise BadPack("its document is not the one that its store belongs to")

    def read(self, member: Member) -> bytes:
        """The bytes of a member; BadPack when they are not those that the manifest declares."""
        return b"".join(self.blocks(member))

    def write(self, member: Member, path: Path) -> None:
        """Write a member to the new file `path`; BadPack as in `read`, OSError as it comes."""
        with path.open("xb") as file:
            for block in self.blocks(member):
                file.write(block)

    def blocks(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member in pieces; the last comes once the checksum is found right."""
        digest, left, held = hashlib.sha256(), member.size, b""
        with self._named(member.name), self._zip.open(self._infos[member.name]) as file:
            while block := file.read(min(_BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    raise BadPack(f"{member.name} is larger than it declares")
                digest.update(block)
                if held:
                    yield held
                held = block
            if left or digest.hexdigest() != member.sha256:
                raise BadPack(f"{member.name} is not what was packed")
        yield held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def _looked_through(self) -> dict[str, zipfile.ZipInfo]:
        """The members by name, none of them anything but a plain file in its place."""
        infos = self._zip.infolist()
        if len(infos) > _MOST_MEMBERS:
            raise BadPack("it has too many members")
        found: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        for info in infos:
            name = info.orig_filename
            if name != MANIFEST and not may_hold(name):
                raise BadPack(f"it holds {name!r}, which is no part of a pack")
            if name.casefold() in folded:
                raise BadPack(f"it holds {name} twice")
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or info.is_dir():
                raise BadPack(f"{name} is a link or no plain file")
            if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
                raise BadPack(f"{name} is packed in a way that is not read")
            folded.add(name.casefold())
            found[name] = info
        if sum(info.compress_size for info in infos) > self.path.stat().st_size:
            raise BadPack("its members lie over one another")
        return found

    def _read_contents(self) -> Contents:
        info = self._infos.get(MANIFEST)
        if info is None:
            raise BadPack("it has no manifest")
        with self._zip.open(info) as file:
            data = file.read(_LARGEST_MANIFEST + 1)
        if len(data) > _LARGEST_MANIFEST:
            raise BadPack("its manifest is too large")
        try:
            return contents_of(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise BadPack("its manifest is no JSON") from error

    def _compare(self) -> None:
        """The members are those that the manifest declares, of the same sizes."""
        declared = {one.name: one.size for one in self.contents.members}
        if missing := sorted(declared.keys() - self._infos.keys()):
            raise BadPack(f"{missing[0]} is missing from it")
        if others := sorted(self._infos.keys() - declared.keys() - {MANIFEST}):
            raise BadPack(f"it holds {others[0]}, which its manifest does not declare")
        for name, size in declared.items():
            if self._infos[name].file_size != size:
                raise BadPack(f"{name} is not of the size that the manifest declares")

    @contextlib.contextmanager
    def _named(self, member: str = "") -> Iterator[None]:
        """Put the name of the file before what is wrong with it."""
        try:
            yield
        except BadPack as error:
            hint = error.hint or "get the file again from where it came"
            raise BadPack(f"{self.path}: {error.message}", hint=hint) from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise BadPack(
                f"{self.path}: {member or 'it'} is damaged: {error}",
                hint="get the file again from where it came",
            ) from error
