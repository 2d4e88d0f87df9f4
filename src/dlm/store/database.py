"""The SQLite file of one store: opening it safely, its schema, and its errors as sentences.

Knows no versions or sections; `queries` does. The tables themselves stand in `schema.sql`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from enum import Enum
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from dlm.errors import CorruptStore, StoreError
from dlm.files import disk_error
from dlm.store.records import finite, from_json, name_of, printable

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 5000
_HELD_AS_JSON = ("Mapping", "tuple", "dict")
_DISK_BLOCK = 1 << 16
_DISK_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
# What SQLite says of a schema or a text that was damaged in a way its page checks do not see.
_DAMAGED = (
    "no such table",
    "no such column",
    "Could not decode to UTF-8",
    "unsupported file format",
)


def _steps() -> Iterator[tuple[str, ...]]:
    """The statements of each step of the schema."""
    text = resources.files("dlm.store").joinpath("schema.sql").read_text("utf-8")
    for step in text.split("\n-- step ")[1:]:
        _, _, statements = step.partition("\n")
        yield tuple(one.strip() for one in statements.split(";") if one.strip())


TABLES: Final = tuple(_steps())


class DiskRefuses(StoreError):
    """The disk is full, read-only or closed to us: reading what is there may still work."""


class Database:
    """One connection. Every SQLite error leaves it as a StoreError or CorruptStore."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.create_function("name", 1, name_of, deterministic=True)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file at `path`, bring its schema up to date and check its pages."""
        with sentences(path):
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                return cls(connection, path)._ready()
            except BaseException:
                connection.close()
                raise

    @classmethod
    def open_read_only(cls, path: Path) -> Self:
        """Open what lies at `path` without writing beside it, whatever its schema."""
        with sentences(path):
            memory = sqlite3.connect(":memory:", isolation_level=None)
            try:
                with contextlib.closing(_connect_read_only(path)) as stored:
                    stored.backup(memory)
                return cls(memory, path)._ready()
            except BaseException:
                memory.close()
                raise

    @classmethod
    def in_memory(cls, path: Path) -> Self:
        """An empty database that stands for the file `path` and is lost when it is closed."""
        return cls(sqlite3.connect(":memory:", isolation_level=None), path)._ready()

    @classmethod
    def open_damaged(cls, path: Path, *, writable_folder: bool) -> Self:
        """Open a file that is known to be damaged, for `readable_rows`."""
        replay = writable_folder and _has_log(path)
        mode = "mode=ro" if replay else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)
        connection.execute("PRAGMA writable_schema = ON")  # so that one bad table hides no other
        return cls(connection, path)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows a query gives."""
        with sentences(self.path):
            return self._connection.execute(sql, values).fetchall()

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row a query gives; None where it gives none."""
        rows = self.rows(sql, *values)
        return rows[0][0] if rows else None

    def read(self, kind: type[T], sql: str, *values: Any) -> tuple[T, ...]:
        """The rows a query gives as dataclasses `kind`, whose fields its columns are named after.

        A column of a field that is a mapping or a tuple holds JSON. Raises CorruptStore where a
        row is damaged.
        """
        held = [one.name for one in fields(kind) if str(one.type).startswith(_HELD_AS_JSON)]  # type: ignore[arg-type]
        with self.readable_row():
            return tuple(from_json(kind, _decoded(row, held)) for row in self.rows(sql, *values))

    def read_one(self, kind: type[T], sql: str, *values: Any) -> T | None:
        """The first row that a query gives, as in `read`."""
        return next(iter(self.read(kind, sql, *values)), None)

    def insert(self, table: str, row: Any, *, conflict: str = "ABORT", **columns: Any) -> int:
        """Insert a dataclass or a mapping, by the names of its fields, and return the row's id.

        `columns` are added to it, or take the place of a field. What is a mapping or a list is
        held as JSON. `conflict` is what SQLite is to do when there is a row with the same key.
        """
        if not isinstance(row, Mapping):
            row = {one.name: getattr(row, one.name) for one in fields(row)}
        data = {name: _column(value) for name, value in {**row, **columns}.items()}
        names, marks = ", ".join(data), ", ".join("?" * len(data))
        with sentences(self.path):
            sql = f"INSERT OR {conflict} INTO {table} ({names}) VALUES ({marks})"
            return self._connection.execute(sql, tuple(data.values())).lastrowid or 0

    def insert_all(
        self, table: str, rows: Iterable[Mapping[str, Any]], *, conflict: str = "ABORT"
    ) -> None:
        """Insert mappings that all have the same names in the same order, as `insert` does one."""
        rows = iter(rows)
        first = next(rows, None)
        if first is None:
            return
        names, marks = ", ".join(first), ", ".join("?" * len(first))
        values = (tuple(map(_column, row.values())) for row in chain([first], rows))
        with sentences(self.path):
            sql = f"INSERT OR {conflict} INTO {table} ({names}) VALUES ({marks})"
            self._connection.executemany(sql, values)

    def update(self, table: str, where: str, *values: Any, **columns: Any) -> int:
        """Set columns of the rows that `where` finds, and return how many; as in `insert`."""
        sets = ", ".join(f"{name} = ?" for name in columns)
        sql = f"UPDATE {table} SET {sets} WHERE {where}"
        return self.execute(sql, *map(_column, columns.values()), *values)

    @contextlib.contextmanager
    def readable_row(self) -> Iterator[None]:
        """Turn what goes wrong where a row is read into CorruptStore."""
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise CorruptStore(f"{self.path} holds a row that is damaged: {error}") from error

    def readable_rows(self, sql: str) -> Iterator[sqlite3.Row]:
        """The rows of a query up to the first that is damaged."""
        with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
            yield from self._connection.execute(sql)

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement and return how many rows it changed."""
        with sentences(self.path):
            return self._connection.execute(sql, values).rowcount

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All statements of the block, durable at its end, or none of them.

        What is not `durable` outlives the process, but the disk is not waited for.
        """
        if not durable:
            self.execute("PRAGMA synchronous = NORMAL")
        try:
            self.execute("BEGIN IMMEDIATE")
            yield
            self.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        finally:
            if not durable:
                self.execute("PRAGMA synchronous = FULL")

    def copy_to(self, path: Path) -> None:
        """Write all that is committed now into a new file at `path`, whoever else is writing."""
        with sentences(path), contextlib.closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)
            # Made for one file: a copy in WAL mode would want another beside it to be read.
            copy.execute("PRAGMA journal_mode = DELETE")

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.close()

    def _ready(self) -> Self:
        version = self.rows("PRAGMA user_version")[0][0]
        if version > len(TABLES):
            raise StoreError(
                f"{self.path} was written by a newer version of dlm", hint="upgrade dlm to open it"
            )
        if version < len(TABLES):
            with self.transaction():
                self._migrate()
        if problems := [row[0] for row in self.rows("PRAGMA quick_check(1)") if row[0] != "ok"]:
            raise _corrupt(self.path, problems[0])
        return self

    def _migrate(self) -> None:
        # Read again: another process may have migrated before this one got the write lock.
        version = self.rows("PRAGMA user_version")[0][0]
        if version == 0 and self.rows("SELECT 1 FROM sqlite_master"):
            raise _corrupt(self.path, "it has tables, but the number of its schema is lost")
        for number, statements in enumerate(TABLES[version:], start=version + 1):
            for statement in statements:
                self.execute(statement)
            self.execute(f"PRAGMA user_version = {number}")


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite, and of the disk below it, into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if (translated := _translated(path, error)) is error:
            raise
        raise translated from error
    except UnicodeDecodeError as error:
        # Python could not read the very message in which SQLite names what is damaged.
        raise _corrupt(path, "its schema is not text") from error
    except OSError as error:
        refused = disk_error(path, error)
        raise DiskRefuses(refused.message, hint=refused.hint) from error


def _decoded(row: sqlite3.Row, held: list[str]) -> dict[str, Any]:
    data = dict(row)
    return data | {name: json.loads(data[name]) for name in held}


def _column(value: Any) -> Any:
    """A value as SQLite holds it."""
    if type(value) is str:
        return printable(value)
    if value is None or type(value) in (int, float, bool):
        return finite(value)
    if isinstance(value, Mapping):
        value = dict(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return printable(value) if isinstance(value, str) else finite(value)


def is_full(folder: Path) -> bool:
    """Whether the disk has no room left; SQLite and others report that as some other failure."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < _DISK_BLOCK
    return False


def _translated(path: Path, error: sqlite3.DatabaseError) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or str(error).startswith(_DAMAGED):
        return _corrupt(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"{path} is busy: another process is writing", hint="try again")
    if code in _DISK_ERRORS:
        reason = errno.ENOSPC if is_full(path.parent) else _DISK_ERRORS[code]
        refused = disk_error(path, OSError(reason, os.strerror(reason)))
        return DiskRefuses(refused.message, hint=refused.hint)
    return error


def _corrupt(path: Path, reason: str) -> CorruptStore:
    return CorruptStore(
        f"{path} is damaged: {reason}",
        hint="the adapter versions are whole files of their own in adapter/versions beside it; "
        "dlm rebuilds the database from them when it next opens the store",
    )


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Connect without writing beside the file, and see what a crash left in its log."""
    if not _has_log(path):
        return sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copyfile(path, Path(folder) / path.name))
        shutil.copyfile(_log(path), _log(copy))
        with contextlib.closing(sqlite3.connect(copy)) as recovered:
            memory = sqlite3.connect(":memory:")
            recovered.backup(memory)
    return memory


def _has_log(path: Path) -> bool:
    """Whether changes lie beside the file that a crash kept from reaching it."""
    return _log(path).is_file() and _log(path).stat().st_size > 0


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
