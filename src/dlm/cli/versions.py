"""`dlm history`, `rollback` and `replay`: the versions, and what the current one remembers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import document_store, note, print_json, print_table, read_document, split_path
from dlm.cli.options import JsonOption, PathArgument, group
from dlm.errors import StoreError, UsageError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.store.records import Remembered, Version
    from dlm.store.store import Store


def history(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """List the versions of the document's adapter."""
    document = read_document(path)
    with document_store(document) as store:
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


def rollback(
    path: PathArgument = None,
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="Default: the one before the current."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an earlier version current again."""
    path, version = split_path(path, version)
    with document_store(read_document(path)) as store, store.lock("rollback"):
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


app = group(
    "replay",
    "What the current version remembers, and what retraining replays.",
    "What the current version remembers.",
)


@app.command("list")
def list_memory(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """List every pair and paragraph that the current version was taught."""
    with _opened(path) as (_, version, memory):
        if as_json:
            print_json({"version": version.name, "items": [one.to_json() for one in memory]})
            return
        print(f"{version.name} remembers {count(len(memory), 'item')}")
        for one in memory:
            where = "removed" if one.removed else one.lesson.place
            print(
                f"  {one.lesson.id[:8]}  {where:<10} {one.lesson.origin:<11} "
                f"since {one.since} seen {one.seen}  {_state(one):<11} {one.lesson.first_words}"
            )


@app.command()
def stats(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """Count what is remembered, by origin and by the version that learned it."""
    with _opened(path) as (_, version, memory):
        facts = {
            "version": version.name,
            "pairs": sum(bool(one.lesson.question) for one in memory),
            "paragraphs": sum(not one.lesson.question for one in memory),
            "learned": sum(bool(one.exact) for one in memory),
            "removed": sum(one.removed for one in memory),
            "words": sum(len(one.lesson.text.split()) for one in memory),
            "by_origin": dict(Counter(one.lesson.origin for one in memory)),
            "by_version": dict(sorted(Counter(one.since for one in memory).items())),
        }
    if as_json:
        print_json(facts)
        return
    print(f"{version.name} remembers {count(len(memory), 'item')}")
    pairs = f"{facts['pairs']}, {facts['learned']} of them answered word for word"
    print_table(
        {
            "pairs": pairs,
            "paragraphs": str(facts["paragraphs"]),
            "words": f"{facts['words']:,}",
            "removed": f"{facts['removed']} (no longer in the document, still replayed)",
            "by origin": _tally(Counter(one.lesson.origin for one in memory)),
            "since": _tally(Counter(one.since for one in memory)),
        }
    )


@app.command()
def prune(
    path: PathArgument = None,
    item: Annotated[
        list[str] | None,
        typer.Option("--item", metavar="ID", help="Only this one; may be given several times."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop replaying what was removed from the document."""
    with _opened(path) as (store, version, memory):
        gone = _chosen(memory, item or [])
        if gone and not dry_run:
            store.forget(version, [one.lesson.id for one in gone])
    if as_json:
        print_json({"pruned": [one.to_json() for one in gone], "dry_run": dry_run})
        return
    for one in gone:
        print(f"  {one.lesson.id[:8]}  {one.lesson.first_words}")
    if not gone:
        print("nothing to prune: all that is remembered stands in the document")
        return
    said = "would no longer be" if dry_run else "no longer"
    print(f"{count(len(gone), 'removed item')} {said} replayed")
    if not dry_run:
        note("hint: they fade as training goes on; `dlm train --fresh` is sure to be rid of them")


def _chosen(memory: tuple[Remembered, ...], wanted: list[str]) -> list[Remembered]:
    if not wanted:
        return [one for one in memory if one.removed]
    chosen = []
    for start in wanted:
        found = [one for one in memory if one.lesson.id.startswith(start)]
        if len(found) != 1:
            how = "no item" if not found else "more than one item"
            raise UsageError(
                f"{how} has an id that begins with {start!r}", hint="`dlm replay list` shows them"
            )
        if not found[0].removed:
            raise UsageError(
                f"{start!r} still stands in the document, at line {found[0].lesson.line}",
                hint="remove it there first; only what was removed can be pruned",
            )
        chosen += found
    return chosen


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[tuple[Store, Version, tuple[Remembered, ...]]]:
    from dlm.store.store import trained_store

    with trained_store(read_document(path), note, "nothing is remembered") as store:
        version = store.current()
        assert version is not None
        yield store, version, store.memory(version)


def _state(one: Remembered) -> str:
    if not one.lesson.question:
        return "prose"
    return "learned" if one.exact else "not learned"


def _tally(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
