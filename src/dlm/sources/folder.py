"""The files of a folder that hold text, in one order, as `.gitignore` and the owner's patterns say.

Hidden entries, links out of the folder and links to folders are passed over. Only reads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_OWN: Final = (".dlm", ".dlm.lock")  # documents, which train by themselves
_IGNORE: Final = ".gitignore"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files of a folder are wanted: patterns as in `.gitignore`, and limits."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    max_files: int = 10_000
    max_bytes: int = 2**20


@dataclass(slots=True)
class LeftOut:
    """Files and folders that were passed over though nothing asked for it, by the reason."""

    too_large: list[Path] = field(default_factory=list)
    not_text: list[Path] = field(default_factory=list)
    too_many: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """A file, its name below the folder, and what tells one state of it from another."""

    path: Path
    name: str
    size: int
    stamp: tuple[int, int, int]


def files_below(root: Path, wanted: Wanted, left_out: LeftOut) -> Iterator[Found]:
    """The wanted files of a folder, or the one that `root` is, sorted by their parts."""
    if root.is_file():
        found = _file(root, root.name, wanted, left_out)
        if found:
            yield found
        return
    include = _spec(wanted.include) if wanted.include else None
    exclude = _spec(wanted.exclude)
    above = [*_above(root)]
    if _is_ignored("", above):  # the owner names it all the same
        above = []
    count = 0
    for path, name in _walk(root, "", above, exclude, left_out):
        if include is not None and not include.match_file(name):
            continue
        found = _file(path, name, wanted, left_out)
        if found is None:
            continue
        count += 1
        if count > wanted.max_files:
            left_out.too_many.append(path)
            continue
        yield found


def _walk(
    folder: Path,
    below: str,
    ignored: list[tuple[str, GitIgnoreSpec]],
    exclude: GitIgnoreSpec,
    left_out: LeftOut,
    root: Path | None = None,
) -> Iterator[tuple[Path, str]]:
    """(path, name) of the files of a folder and of those below it."""
    root = root or folder.resolve()
    if own := _ignore_file(folder):
        ignored = [*ignored, (below, own)]
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        left_out.unreadable.append(folder)
        return
    for entry in ordered:
        name = f"{below}{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not _is_ignored(f"{name}/", ignored) and not exclude.match_file(f"{name}/"):
                yield from _walk(Path(entry.path), f"{name}/", ignored, exclude, left_out, root)
        elif (
            not entry.name.endswith(_OWN)
            and _is_file_of(entry, root)
            and not _is_ignored(name, ignored)
            and not exclude.match_file(name)
        ):
            yield Path(entry.path), name


def _is_file_of(entry: os.DirEntry[str], root: Path) -> bool:
    """Whether this is a file, and no link to one outside the folder."""
    if not entry.is_symlink():
        return entry.is_file()
    target = Path(entry.path).resolve()
    return target.is_file() and target.is_relative_to(root)


def _is_ignored(name: str, ignored: Sequence[tuple[str, GitIgnoreSpec]]) -> bool:
    """What the nearest `.gitignore` says that says anything; those above see more of the path."""
    for below, spec in reversed(ignored):
        # `below` is where the file stands: "docs/" below the folder, or "../" times above it.
        inner = name[len(below) :] if name.startswith(below) else f"{below.lstrip('/')}{name}"
        said = spec.check_file(inner).include
        if said is not None:
            return said
    return False


def _above(root: Path) -> Iterator[tuple[str, GitIgnoreSpec]]:
    """The `.gitignore` of the folders above, up to that of the repository, the highest first.

    Each comes with the path from there to `root` after a slash, which no name begins with.
    """
    root = root.resolve()
    if (root / ".git").exists():
        return
    above = []
    for folder in root.parents:
        above.append(folder)
        if (folder / ".git").exists():
            break
    else:
        return
    for folder in reversed(above):
        if spec := _ignore_file(folder):
            yield f"/{root.relative_to(folder).as_posix()}/", spec


def _ignore_file(folder: Path) -> GitIgnoreSpec | None:
    try:
        text = (folder / _IGNORE).read_text("utf-8", "replace")
    except OSError:
        return None
    return _spec(text.splitlines())


def _spec(lines: Sequence[str]) -> GitIgnoreSpec:
    """The patterns of some lines, without those that are none."""
    try:
        return _compiled(lines)
    except ValueError:
        return _compiled([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    try:
        _compiled([line])
    except ValueError:
        return False
    return True


def _compiled(lines: Sequence[str]) -> GitIgnoreSpec:
    """Raises ValueError where a line is no pattern."""
    from pathspec import GitIgnoreSpec

    with warnings.catch_warnings():  # of `[[]`, which the library turns into a regular expression
        warnings.simplefilter("ignore", FutureWarning)
        return GitIgnoreSpec.from_lines(lines)


def _file(path: Path, name: str, wanted: Wanted, left_out: LeftOut) -> Found | None:
    try:
        status = path.stat()
    except OSError:
        return None
    if status.st_size > wanted.max_bytes:
        left_out.too_large.append(path)
        return None
    stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
    return Found(path, name, status.st_size, stamp)
