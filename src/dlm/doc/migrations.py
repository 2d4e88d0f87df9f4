"""What changed from one `dlm_version` to the next, as edits that keep comments and order.

Every version up to the current one opens as it is; migrating only brings the text up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dlm.doc.document import Document
from dlm.doc.frontmatter import find_entry
from dlm.doc.schema import CURRENT_SCHEMA_VERSION
from dlm.doc.spans import Splice
from dlm.errors import DocumentError


@dataclass(frozen=True, slots=True)
class Migration:
    """The step from `version` to the next."""

    version: int
    summary: str
    splices: Callable[[Document], Iterator[Splice]]


def migrate(document: Document) -> tuple[Splice, ...]:
    """The edits that bring a document to the current version; none when it is there."""
    version = document.frontmatter.dlm_version
    if version == CURRENT_SCHEMA_VERSION:
        return ()
    steps = [migration for migration in MIGRATIONS if migration.version >= version]
    splices = [splice for step in steps for splice in step.splices(document)]
    return (*splices, document.set_key("dlm_version", CURRENT_SCHEMA_VERSION))


def _rename_dpo(document: Document) -> Iterator[Splice]:
    old = find_entry(document.tree, ("training", "dpo"))
    new = find_entry(document.tree, ("training", "preference"))
    if old and new:
        raise DocumentError(
            "training sets both dpo and preference, which is its newer name",
            at=document.location(old.key_span.start),
            hint="keep one of the two",
        )
    if old:
        yield Splice(old.key_span, "preference")


def _nothing(_: Document) -> Iterator[Splice]:
    return iter(())


# Versions 3 to 15 only added keys, so their documents need no change but the number.
MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(1, "training.dpo is called training.preference", _rename_dpo),
    *(
        Migration(version, "keys were added", _nothing)
        for version in range(2, CURRENT_SCHEMA_VERSION)
    ),
)
