"""`dlm migrate`: the frontmatter of an older document, brought up to date; the body stays."""

from __future__ import annotations

import difflib

from dlm.cli.common import read_document


def run(path: str | None, *, dry_run: bool) -> None:
    from dlm.doc.migrations import migrate
    from dlm.loops.edits import replace_document

    document = read_document(path)
    splices = migrate(document)
    if not splices:
        print(f"{document.path} is up to date (dlm_version {document.frontmatter.dlm_version})")
        return
    migrated = document.apply(splices)
    before, after = document.text.splitlines(True), migrated.text.splitlines(True)
    for line in difflib.unified_diff(before, after, "now", "migrated", n=1):
        print(line.rstrip("\r\n"))
    if dry_run:
        print("nothing was changed (--dry-run)")
        return
    assert document.path is not None
    replace_document(document.path, document, migrated)
    print(f"{document.path} is now dlm_version {migrated.frontmatter.dlm_version}")
