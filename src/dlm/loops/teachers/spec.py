"""From what the owner writes (`--teacher …`) to an open teacher."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dlm.doc.document import Document
from dlm.errors import TeacherError
from dlm.loops.teachers.protocol import Teacher


@contextlib.contextmanager
def open_teacher(spec: str, document: Document) -> Iterator[Teacher]:
    """The teacher that `spec` names, open until the block ends."""
    from dlm.engine.resident import Resident
    from dlm.loops.teachers.local import LocalTeacher

    kind, _, rest = spec.partition(":")
    if kind not in ("self", "base"):
        raise TeacherError(f"there is no teacher {spec!r}", hint="known: self, self:v0003, base")
    with Resident.open(document, version=rest or None) as resident:
        if kind == "base":
            yield LocalTeacher(resident, f"base:{resident.base.key}", adapter=False)
            return
        if resident.version is None:
            raise TeacherError(
                f"{document.path} is not trained yet, so it cannot teach itself",
                hint=f"dlm train {document.path}, or --teacher base",
            )
        yield LocalTeacher(resident, f"self:{resident.version.name}", adapter=True)
