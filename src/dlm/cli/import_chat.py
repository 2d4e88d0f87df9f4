"""The body of `dlm preference import`: what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlm.cli.common import count, note, read_document
from dlm.cli.edits import Mode, present
from dlm.cli.terminal import one_line

if TYPE_CHECKING:
    from dlm.loops.chat_logs import Log
    from dlm.loops.chat_logs.run import Imported

COMMAND = "dlm preference"
_NAMED = 20  # things that give nothing, on standard error


def run(
    path: str | None,
    log: Path,
    *,
    format: str | None,
    pairs: bool,
    explain: bool,
    mode: Mode,
    as_json: bool,
) -> None:
    """Read a chat log and show what it adds to the document; write it when asked to."""
    from dlm.loops.chat_logs import read_log
    from dlm.loops.chat_logs.run import import_log
    from dlm.store.records import now

    document = read_document(path)
    read = read_log(log, format)
    done = import_log(document, read, pairs=pairs, at=now().replace(microsecond=0))
    _tell(log, read, done, explain=explain)
    if not as_json and done.balance.n:
        print(f"balance: {done.balance}")
    present(document, done.plan, mode, command=COMMAND, place="end", as_json=as_json)


def _tell(path: Path, log: Log, done: Imported, *, explain: bool) -> None:
    """On standard error: what the log holds, and what of it gives nothing."""
    for text in log.malformed[:_NAMED]:
        note(f"malformed: {one_line(text, 200)}")
    if len(log.malformed) > _NAMED:
        note(f"malformed: and {len(log.malformed) - _NAMED} more")
    shown = done.unused if explain else done.unused[:_NAMED]
    for each in shown:
        note(f"left out: {each.where}: {one_line(each.prompt, 60)!r}: {one_line(each.reason, 120)}")
    if len(done.unused) > len(shown):
        note(f"left out: and {len(done.unused) - len(shown)} more; --explain names all")
    note(
        f"{path}: {log.format}, {count(done.conversations, 'conversation')} → "
        f"{count(done.corrections, 'correction')} and {count(done.exchanges, 'plain exchange')} → "
        f"{count(done.triples, 'triple')} and {count(done.pairs, 'pair')}"
    )
    if done.exchanges and not done.pairs and not done.triples:
        note("hint: --pairs takes the plain exchanges as question-and-answer pairs")
    for text in done.balance.warnings:
        note(f"warning: {text}")
