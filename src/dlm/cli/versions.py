"""`dlm history` and `dlm rollback`: the versions, and an earlier one made current again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlm.cli.common import note, print_json, read_document, split_path
from dlm.errors import StoreError

if TYPE_CHECKING:
    from dlm.store.records import Version
    from dlm.store.store import Store


def print_history(path: str | None, *, as_json: bool) -> None:
    from dlm.store.store import Store

    document = read_document(path)
    with Store.open(
        document.frontmatter.dlm_id, base_model=document.frontmatter.base_model
    ) as store:
        for text in store.notices:
            note(f"note: {text}")
        current = store.current()
        entries = [_entry(store, version, current) for version in store.versions()]
    if as_json:
        print_json({"dlm_id": document.frontmatter.dlm_id, "versions": entries})
        return
    if not entries:
        print(f"{document.path} is not trained yet")
        return
    print("   version  when              mode      learned   drift  steps  seconds  why it stopped")
    for entry in entries:
        print(_line(entry))


def _entry(store: Store, version: Version, current: Version | None) -> dict[str, Any]:
    run = store.run_of(version)
    figures = run.figures
    return {
        "version": version.name,
        "current": current is not None and version.name == current.name,
        "created_at": version.created_at,
        "mode": run.mode,
        "parent": version.parent,
        "base": run.base_key,
        "learned": figures.get("learned"),
        "pairs": figures.get("pairs"),
        "drift": figures.get("drift"),
        "steps": run.steps,
        "seconds": round(run.seconds, 1),
        "stop_reason": run.stop_reason,
        "sha256": version.sha256,
        "document_sha256": run.document_sha256,
    }


def _line(entry: dict[str, Any]) -> str:
    mark = "*" if entry["current"] else " "
    when = entry["created_at"].astimezone().strftime("%Y-%m-%d %H:%M")
    learned = f"{entry['learned']}/{entry['pairs']}" if entry["pairs"] else "-"
    drift = f"{entry['drift']:+.2f}" if entry["drift"] is not None else "-"
    return (
        f" {mark} {entry['version']:<7}  {when}  {entry['mode']:<8}  {learned:>7}  {drift:>6}"
        f"  {entry['steps']:>5}  {entry['seconds']:>7}  {entry['stop_reason']}"
    )


def roll_back(path: str | None, version: str | None, *, as_json: bool) -> None:
    from dlm.store.store import Store

    path, version = split_path(path, version)
    document = read_document(path)
    frontmatter = document.frontmatter
    with (
        Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store,
        store.lock("rollback"),
    ):
        before = store.current()
        target = store.version(version) if version else _earlier(store, before)
        store.verify(target)
        store.set_current(target)
    if as_json:
        print_json({"current": target.name, "previous": before.name if before else None})
    else:
        print(f"{target.name} is current again (was {before.name if before else 'none'})")


def _earlier(store: Store, current: Version | None) -> Version:
    older = [v for v in store.versions() if current is not None and v.number < current.number]
    if not older:
        raise StoreError(
            "there is no earlier version to go back to", hint="`dlm history` lists what there is"
        )
    return older[-1]
