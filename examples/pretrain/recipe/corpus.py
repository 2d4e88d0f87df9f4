"""Texts of a corpus: shards of JSON lines, and which texts are never trained on.

A line is {"text", "source", "licence", "kind"}. Kinds: `prose` and `fiction` (paragraphs divided by
blank lines, headings marked with #), `glossary` (a line "term: meaning" each), `trivia` (a JSON
object with "q", "a" and "opts"), `dialog` (conversations in YAML). Knows no tokenizer.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlm.errors import DlmError

# Novels of these sources are marked `prose` in shards made before the kind `fiction` existed.
FICTION_SOURCES = ("standardebooks/",)
# Commands, recipes, sums and dialogues are read, but no facts are looked for in them.
FACTLESS_SOURCES = (
    "tldr-pages/", "ronaldl29/", "LukeSmith", "openai/grade-school-math",
    "google-research-datasets/dstc8",
)  # fmt: skip
KINDS = ("prose", "fiction", "glossary", "trivia", "dialog")


@dataclass(frozen=True, slots=True)
class Text:
    """One document of a corpus; `kind` says how its text is laid out."""

    text: str
    source: str
    kind: str

    @property
    def held_out(self) -> bool:
        return held_out(self.text)

    @property
    def tells_facts(self) -> bool:
        return self.kind == "prose" and not self.source.startswith(FACTLESS_SOURCES)


def read(folder: Path) -> Iterator[Text]:
    """Every document of the `*.jsonl` and `*.jsonl.zst` shards in `folder`, in name order."""
    shards = sorted(path for path in folder.glob("*.jsonl*") if path.suffix in (".jsonl", ".zst"))
    if not shards:
        raise DlmError(
            f"{folder} holds no .jsonl or .jsonl.zst shards",
            hint='a shard has a line {"text": …, "source": …, "kind": "prose"} for each document',
        )
    for shard in shards:
        for number, line in enumerate(_lines(shard), start=1):
            if line.strip():
                yield _text(line, shard, number)


def held_out(text: str, per_mille: int = 10) -> bool:
    """True for one text in a hundred, by its hash: the same ones in every command and every run."""
    digest = hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") % 1000 < per_mille


def plain_text(text: Text) -> str | None:
    """The document as running text; None for a kind that is only spoken."""
    if text.kind == "dialog":
        return None
    if text.kind != "trivia":
        return text.text
    item = trivia(text)
    asked = str(item["q"])
    return f"Question: {asked}\nAnswer: {item['a']}" if asked.endswith("?") else None


def trivia(text: Text) -> dict[str, Any]:
    """The question "q", its answer "a" and the options "opts" of a trivia item."""
    item: dict[str, Any] = json.loads(text.text)
    return {"opts": [], **item}


def _lines(shard: Path) -> Iterator[str]:
    if shard.suffix == ".jsonl":
        with shard.open(encoding="utf-8", newline="\n") as file:
            yield from file
        return
    try:
        import zstandard
    except ImportError as error:
        raise DlmError(
            f"{shard.name} is packed with Zstandard, and the package zstandard is not installed",
            hint="`uv sync --extra pretrain` installs it; or unpack the shards with `zstd -d`",
        ) from error
    with shard.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        yield from io.TextIOWrapper(stream, encoding="utf-8", newline="\n")


def _text(line: str, shard: Path, number: int) -> Text:
    try:
        item = json.loads(line)
        text, source, kind = str(item["text"]), str(item["source"]), str(item["kind"])
    except (ValueError, TypeError, KeyError) as error:
        raise DlmError(
            f"{shard}:{number}: not an object with text, source and kind",
            hint="every line of a shard is one JSON object",
        ) from error
    if kind not in KINDS:
        raise DlmError(
            f"{shard}:{number}: {kind!r} is not a kind of text", hint=f"one of {', '.join(KINDS)}"
        )
    fiction = kind == "prose" and source.startswith(FICTION_SOURCES)
    return Text(text, source, "fiction" if fiction else kind)
