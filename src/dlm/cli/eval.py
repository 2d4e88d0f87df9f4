"""`dlm eval`: measure a version on the document as it stands, and keep the scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import note, print_json, print_table, read_document
from dlm.cli.learned import print_map
from dlm.cli.scorecard import figure_rows, print_questions

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.eval.comparison import Comparison
    from dlm.eval.scorecard import Scorecard
    from dlm.store.records import Version
    from dlm.store.store import Store


def run(path: str | None, *, version: str | None, by_section: bool, as_json: bool) -> None:
    from dlm.engine.versions import choose_version
    from dlm.eval.keeping import with_earlier
    from dlm.store.store import Store

    document = read_document(path)
    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
        chosen = choose_version(store, document, version)
        card = measure_now(store, chosen, document)
        compared = with_earlier(store, chosen, card)
        changed = store.run_of(chosen).document_sha256 != document.sha256
    if as_json:
        _print_json(document, chosen, card, compared, changed=changed)
    else:
        _print(document, chosen, card, compared, changed=changed, by_section=by_section)


def measure_now(store: Store, version: Version, document: Document) -> Scorecard:
    """Measure a version and keep its scorecard, where the store can be written."""
    from dlm.base_models import resolve
    from dlm.base_models.locate import local_folder
    from dlm.engine.versions import check_base
    from dlm.eval.keeping import keep
    from dlm.eval.version import measure_version

    base = resolve(document.frontmatter.base_model)
    folder = local_folder(base)
    check_base(store, version, folder, base.key)
    note(f"measuring {version.name} on {document.path} …")
    card = measure_version(store, version, document, base, folder)
    if store.read_only:
        note("note: the store cannot be written, so this scorecard is not kept")
    else:
        with store.database.transaction():
            keep(store.database, version.number, card)
    return card


def _print(
    document: Document,
    version: Version,
    card: Scorecard,
    compared: Comparison | None,
    *,
    changed: bool,
    by_section: bool,
) -> None:
    since = ", which changed since it was trained" if changed else ""
    print(f"{version.name} on {document.path}{since}")
    print_table(figure_rows(card, compared))
    print_questions(card, compared, document.path)
    if by_section:
        print()
        print_map(document, card)


def _print_json(
    document: Document,
    version: Version,
    card: Scorecard,
    compared: Comparison | None,
    *,
    changed: bool,
) -> None:
    from dlm.eval.learned_map import learned_map

    print_json(
        {
            "version": version.name,
            "document_changed": changed,
            **card.to_json(),
            "sections": [state.to_json() for state in learned_map(document, card)],
            "compared": compared.to_json() if compared else None,
        }
    )
