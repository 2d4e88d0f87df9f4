"""Changes one key of the frontmatter, as a splice that keeps comments, order, quotes and newlines.

Knows where keys stand from the YAML tree; the new text is checked by parsing it again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel

from dlm.doc.frontmatter import KeyPath, did_you_mean, find_entry, submodel
from dlm.doc.schema import KNOWN_ELSEWHERE, Frontmatter
from dlm.doc.spans import Source, Span, Splice
from dlm.doc.yaml_tree import Entry, Node, Scalar, scalar_value
from dlm.errors import DocumentError

Setting = Scalar | Sequence[Scalar]

_PLAIN: Final = re.compile(r"[A-Za-z_./][A-Za-z0-9_./:@+-]*(?<!:)")
_YAML_1_1_BOOLEANS: Final = frozenset(("y", "n", "yes", "no", "on", "off"))
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def set_key(source: Source, tree: Node, key: str, value: Setting, newline: str) -> Splice:
    """The splice that gives `key` (dotted) a value, adding the key and its parents if missing.

    Raises DocumentError for a key that no document has.
    """
    path = tuple(key.split("."))
    _check_known(path)
    entry = find_entry(tree, path)
    if entry is not None and entry.value.entries is None:
        return _replace(source.text, entry, value, newline)
    if entry is not None:
        raise DocumentError(
            f"{key} is a mapping",
            at=source.location(entry.key_span.start),
            hint=f"set one of the keys in it, as in {key}.name",
        )
    for depth in range(len(path) - 1, 0, -1):
        parent = find_entry(tree, path[:depth])
        if parent is not None:
            return _add_below(source, parent, path[depth:], value, newline)
    return _add_last(source.text, tree, path, value, newline)


def render_value(value: Setting, style: str | None = None) -> str:
    """A value as YAML on one line; text keeps the quotes of `style` where they can hold it."""
    if isinstance(value, str):
        return _render_text(value, style)
    if isinstance(value, Sequence):
        return f"[{', '.join(render_value(item) for item in value)}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    # Readers of YAML 1.1 take 1e-05 for text.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _check_known(path: KeyPath) -> None:
    model: type[BaseModel] | None = Frontmatter
    for depth, key in enumerate(path, 1):
        if path[:depth] in KNOWN_ELSEWHERE:
            return
        if model is None or key not in model.model_fields:
            known = list(model.model_fields) if model else []
            raise DocumentError(
                f"{'.'.join(path)!r} is not a key of a document",
                hint=did_you_mean(key, known, otherwise=f"keys: {', '.join(known)}"),
            )
        model = submodel(model, key)
    if model is not None:
        keys = ", ".join(f"{path[-1]}.{name}" for name in model.model_fields)
        raise DocumentError(f"{'.'.join(path)!r} is a mapping", hint=f"set one of {keys}")


def _replace(text: str, entry: Entry, value: Setting, newline: str) -> Splice:
    node = entry.value
    if node.span.start == node.span.end:
        colon = text.index(":", entry.key_span.end) + 1
        return Splice(Span(colon, colon), f" {render_value(value)}")
    if node.items is not None and not node.flow:
        colon = text.index(":", entry.key_span.end) + 1
        return Splice(Span(colon, _end(text, entry)), f" {render_value(value)}")
    if node.style in ("|", ">"):
        return Splice(Span(node.span.start, _end(text, entry)), render_value(value) + newline)
    return Splice(node.span, render_value(value, node.style))


def _add_below(
    source: Source, parent: Entry, path: KeyPath, value: Setting, newline: str
) -> Splice:
    node = parent.value
    text = source.text
    if node.entries is not None:
        add = _add_in_braces if node.flow else _add_last
        return add(text, node, path, value, newline)
    if node.items is not None or node.value is not None:
        raise DocumentError(
            f"{parent.key} is not a mapping", at=source.location(parent.key_span.start)
        )
    if node.span.start != node.span.end:
        return Splice(node.span, f"{{{_in_braces(path, value)}}}")
    end = text.index("\n", parent.key_span.end) + 1
    indent = _indent(text, parent) + 2
    return Splice(Span(end, end), _lines(path, value, indent, newline))


def _add_last(text: str, node: Node, path: KeyPath, value: Setting, newline: str) -> Splice:
    """A new line after the last entry of a mapping, as far in as its first."""
    entries = list((node.entries or {}).values())
    end = _end(text, entries[-1])
    if text[end - 1] != "\n":
        end = text.index("\n", end) + 1
    return Splice(Span(end, end), _lines(path, value, _indent(text, entries[0]), newline))


def _add_in_braces(text: str, node: Node, path: KeyPath, value: Setting, newline: str) -> Splice:
    entries = list((node.entries or {}).values())
    end = _end(text, entries[-1]) if entries else node.span.end - 1
    return Splice(Span(end, end), f"{', ' if entries else ''}{_in_braces(path, value)}")


def _end(text: str, entry: Entry) -> int:
    """Where an entry ends: of a block scalar, the start of a line; else within its last line."""
    node = entry.value
    if node.entries and not node.flow:
        return _end(text, list(node.entries.values())[-1])
    if node.items and not node.flow:
        return _end(text, Entry(entry.key, entry.key_span, node.items[-1]))
    if node.style in ("|", ">"):
        return text.rfind("\n", 0, node.span.end) + 1
    if node.span.start == node.span.end:
        return text.index(":", entry.key_span.end) + 1
    return node.span.end


def _indent(text: str, entry: Entry) -> int:
    return entry.key_span.start - (text.rfind("\n", 0, entry.key_span.start) + 1)


def _lines(path: KeyPath, value: Setting, indent: int, newline: str) -> str:
    lines = [f"{' ' * (indent + 2 * depth)}{key}:" for depth, key in enumerate(path)]
    return newline.join(lines) + f" {render_value(value)}{newline}"


def _in_braces(path: KeyPath, value: Setting) -> str:
    inner = render_value(value)
    for key in reversed(path[1:]):
        inner = f"{{{key}: {inner}}}"
    return f"{path[0]}: {inner}"


def _render_text(value: str, style: str | None) -> str:
    if style is None and _PLAIN.fullmatch(value) and scalar_value(value) == value:
        plain = value.lower() not in _YAML_1_1_BOOLEANS
        if plain:
            return value
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES or character.isprintable():
        return _ESCAPES.get(character, character)
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
