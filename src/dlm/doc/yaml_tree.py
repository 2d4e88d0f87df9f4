"""YAML text as a tree of values that know where they stand.

Reads the events of ruamel rather than its objects, so every key and value keeps its place, a
duplicate is seen, and a document cannot nest, repeat or grow without bound. Knows no schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from dlm.doc.spans import Source, Span
from dlm.errors import DocumentError

Scalar = str | int | float | bool | None
Event = Any  # the library sets the attributes of its events without declaring them

MAX_CHARACTERS: Final = 128 * 1024
MAX_DEPTH: Final = 16
MAX_VALUES: Final = 10_000

_PLAIN: Final = "frontmatter is plain `key: value` lines"

_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEAN: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
# A key and a plain word: most documents hold such lines alone. To load the library for them would
# take longer than all else that is done with a document.
_PLAIN_LINE: Final = re.compile(
    r"(?P<key>[a-z_]{1,64}): (?P<word>[A-Za-z0-9][A-Za-z0-9._/-]*)\r?\n"
)
_STRING_TAG: Final = frozenset(("!", "tag:yaml.org,2002:str"))


@dataclass(slots=True)
class Node:
    """One value: its place, what it means, how a scalar is written, its entries or items if any."""

    span: Span
    value: Scalar = None
    written: str | None = None
    style: str | None = None
    entries: dict[str, Entry] | None = None
    items: list[Node] | None = None
    flow: bool = False
    size: int = field(default=1, compare=False)

    def plain(self) -> Any:
        """The value as dictionaries, lists and scalars."""
        if self.entries is not None:
            return {key: entry.value.plain() for key, entry in self.entries.items()}
        if self.items is not None:
            return [item.plain() for item in self.items]
        return self.value


class Entry(NamedTuple):
    """A key of a mapping, the place of the key, and its value."""

    key: str
    key_span: Span
    value: Node


def read_yaml(source: Source, span: Span) -> Node:
    """The tree of the YAML between two offsets; DocumentError, with the place, if it is not one."""
    if span.end - span.start > MAX_CHARACTERS:
        raise DocumentError(
            f"the frontmatter is longer than {MAX_CHARACTERS} characters",
            at=source.location(span.start),
            hint="close it with a line of three dashes, and keep the text in the body",
        )
    return _plain_lines(source, span) or _Reader(source, span).document()


def scalar_value(text: str) -> Scalar:
    """What an unquoted scalar means (the core schema of YAML 1.2)."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _plain_lines(source: Source, span: Span) -> Node | None:
    """The tree of lines that are each another key and a plain word; None for any other text."""
    entries: dict[str, Entry] = {}
    at = span.start
    while at < span.end:
        line = _PLAIN_LINE.match(source.text, at, span.end)
        if line is None or line["key"] in entries:
            return None
        value = Node(Span(*line.span("word")), scalar_value(line["word"]), line["word"])
        entries[line["key"]] = Entry(line["key"], Span(*line.span("key")), value)
        at = line.end()
    fits = 0 < len(entries) < MAX_VALUES
    return Node(span, entries=entries, size=len(entries) + 1) if fits else None


class _Reader:
    """Builds the tree from the stream of events, one event at a time."""

    def __init__(self, source: Source, span: Span) -> None:
        self._source = source
        self._span = span
        self._events = self._parse()
        self._anchors: dict[str, Node] = {}
        self._total = 0

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            kind = type(event).__name__
            if kind in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
                if root is not None:
                    raise self._error("the frontmatter holds more than one YAML document", event)
                root = self._node(event, 1)
        return root or Node(Span(self._span.start, self._span.start))

    def _parse(self) -> Iterator[Event]:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError
        from ruamel.yaml.reader import ReaderError

        try:
            yield from YAML(typ="safe", pure=True).parse(self._span.of(self._source.text))
        except DocumentError:
            raise
        except ReaderError as error:
            character = self._source.text[self._span.start + error.position]
            reason = f"the character U+{ord(character):04X} cannot stand in YAML"
            raise self._bad_yaml(reason, error.position) from error
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            reason = str(error.problem or error.context)
            raise self._bad_yaml(reason, mark.index if mark else 0) from error
        except Exception as error:
            # On some malformed input the YAML library fails with errors of its own making.
            raise self._bad_yaml("it cannot be read", 0) from error

    def _node(self, event: Event, depth: int) -> Node:
        self._total += 1
        if depth > MAX_DEPTH:
            raise self._error("the frontmatter nests too deeply", event)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event)
        if kind == "MappingStartEvent":
            node = self._mapping(event, depth)
        elif kind == "SequenceStartEvent":
            node = self._sequence(event, depth)
        else:
            node = self._scalar(event)
        if self._total > MAX_VALUES:
            raise self._error("the frontmatter holds too many values", event)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Event) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._error(f"'*{event.anchor}' names nothing above it", event)
        self._total += node.size
        if self._total > MAX_VALUES:
            raise self._error("the frontmatter holds too many values", event)
        return replace(node, span=self._place(event, event))

    def _mapping(self, event: Event, depth: int) -> Node:
        entries: dict[str, Entry] = {}
        before = self._total
        for key_event in self._events:
            if type(key_event).__name__ == "MappingEndEvent":
                break
            key, key_span = self._key(key_event)
            if key in entries:
                line = self._source.line(entries[key].key_span.start)
                message = f"{key!r} is set twice, first on line {line}"
                raise self._error(message, key_event, hint="keep one of the two")
            value = self._node(next(self._events), depth + 1)
            entries[key] = Entry(key, key_span, value)
        span = self._place(event, key_event)
        size = self._total - before + 1
        return Node(span, entries=entries, flow=bool(event.flow_style), size=size)

    def _key(self, event: Event) -> tuple[str, Span]:
        if type(event).__name__ != "ScalarEvent":
            raise self._error("a key must be a plain word", event)
        return str(event.value), self._place(event, event)

    def _sequence(self, event: Event, depth: int) -> Node:
        items: list[Node] = []
        before = self._total
        for item in self._events:
            if type(item).__name__ == "SequenceEndEvent":
                break
            items.append(self._node(item, depth + 1))
        span = self._place(event, item)
        size = self._total - before + 1
        return Node(span, items=items, flow=bool(event.flow_style), size=size)

    def _scalar(self, event: Event) -> Node:
        tag = None if event.tag is None else str(event.tag)
        if tag is not None and tag not in _STRING_TAG:
            raise self._error(f"the YAML tag {tag!r} is not used in frontmatter", event)
        quoted = event.style is not None or tag is not None
        value = event.value if quoted else scalar_value(event.value)
        return Node(self._place(event, event), value, str(event.value), event.style)

    def _place(self, first: Event, last: Event) -> Span:
        base = self._span.start
        return Span(base + first.start_mark.index, base + last.end_mark.index)

    def _error(self, message: str, event: Event, hint: str = _PLAIN) -> DocumentError:
        at = self._source.location(self._place(event, event).start)
        return DocumentError(message, at=at, hint=hint)

    def _bad_yaml(self, reason: str, index: int) -> DocumentError:
        offset = min(self._span.start + index, self._span.end)
        return DocumentError(
            f"the frontmatter is not valid YAML: {reason}",
            at=self._source.location(offset),
            hint="write one `key: value` per line; quote a value that holds ': ' or ' #'",
        )
