"""Finds the frontmatter at the top of a text and checks it, key by key.

Every complaint carries the place of the key or value. Knows nothing of the body.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from dlm.doc.schema import CURRENT_SCHEMA_VERSION, KNOWN_ELSEWHERE, Frontmatter
from dlm.doc.spans import BOM, Source, Span
from dlm.doc.yaml_tree import Entry, Node, read_yaml
from dlm.errors import DocumentError, Location
from dlm.plugins import without_plugins

KeyPath = tuple[str, ...]

_OPEN: Final = re.compile(f"{BOM}?---[ \t]*\r?\n")
_CLOSE: Final = re.compile(r"\n---[ \t]*\r?(?:\n|\Z)")


class Warning_(NamedTuple):
    """Something a reader should know that does not stop the document from being used."""

    message: str
    at: Location

    def __str__(self) -> str:
        return f"{self.at}: {self.message}"


class Header(NamedTuple):
    """The frontmatter of a text: its values, their tree, and where block and YAML stand."""

    values: Frontmatter
    tree: Node
    span: Span
    yaml_span: Span
    warnings: tuple[Warning_, ...]


def read_frontmatter(source: Source) -> Header:
    """Read and check the frontmatter; DocumentError, with the place, when it cannot be used."""
    span, yaml_span = _locate(source)
    tree = read_yaml(source, yaml_span)
    start = source.location(span.start)
    if tree.entries is None and (tree.items is not None or tree.value is not None):
        raise DocumentError(
            "the frontmatter is not a list of `key: value` lines",
            at=source.location(tree.span.start),
            hint="begin with dlm_id and base_model, or let `dlm init` write them",
        )
    _check_version(source, tree)
    elsewhere = list(_check_keys(source, tree, Frontmatter, ()))
    _check_required(tree, start)
    values = _validate(source, tree, elsewhere)
    warnings = tuple(_warnings(source, tree, values, elsewhere))
    return Header(values, tree, span, yaml_span, warnings)


def find_entry(tree: Node, path: KeyPath) -> Entry | None:
    """The entry at a path of keys, or None when the text does not set it."""
    entry: Entry | None = None
    node = tree
    for key in path:
        entry = (node.entries or {}).get(key)
        if entry is None:
            return None
        node = entry.value
    return entry


def did_you_mean(word: str, known: list[str], *, otherwise: str | None = None) -> str | None:
    """A hint that names the closest known word, or `otherwise`."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]!r}?" if close else otherwise


def submodel(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model of the mapping under `key`, or None when the key holds a plain value."""
    annotation = model.model_fields[key].annotation
    candidates = (annotation, *get_args(annotation))
    found = (kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return next(found, None)


def _locate(source: Source) -> tuple[Span, Span]:
    opening = _OPEN.match(source.text)
    if opening is None:
        lone = source.text.removeprefix(BOM).rstrip() == "---"
        raise _unclosed(source) if lone else _missing(source)
    closing = _CLOSE.search(source.text, opening.end() - 1)
    if closing is None:
        raise _unclosed(source)
    yaml_end = max(opening.end(), closing.start() + 1)
    return Span(0, closing.end()), Span(opening.end(), yaml_end)


def _missing(source: Source) -> DocumentError:
    return DocumentError(
        "the document does not begin with frontmatter",
        at=source.location(0),
        hint="`dlm init` writes a new document; its first line is three dashes",
    )


def _unclosed(source: Source) -> DocumentError:
    return DocumentError(
        "the frontmatter that begins here is not closed",
        at=source.location(0),
        hint="put a line of three dashes after its last key",
    )


def _check_version(source: Source, tree: Node) -> None:
    entry = find_entry(tree, ("dlm_version",))
    version = entry.value.value if entry else None
    if entry and type(version) is int and version > CURRENT_SCHEMA_VERSION:
        raise DocumentError(
            f"dlm_version {version} is newer than this parser, which reads up to "
            f"{CURRENT_SCHEMA_VERSION}",
            at=source.location(entry.value.span.start),
            hint="upgrade dlm",
        )


def _check_keys(
    source: Source, node: Node, model: type[BaseModel], path: KeyPath
) -> Iterator[tuple[KeyPath, Entry]]:
    """Yield the entries that only other tools act on; refuse those that nobody knows."""
    for key, entry in (node.entries or {}).items():
        here = (*path, key)
        if here in KNOWN_ELSEWHERE:
            yield here, entry
        elif key not in model.model_fields:
            raise _unknown_key(source, here, entry, model)
        elif (inner := submodel(model, key)) is not None:
            yield from _check_keys(source, entry.value, inner, here)


def _unknown_key(
    source: Source, path: KeyPath, entry: Entry, model: type[BaseModel]
) -> DocumentError:
    known = [*model.model_fields, *(p[-1] for p in KNOWN_ELSEWHERE if p[:-1] == path[:-1])]
    where = f" in {'.'.join(path[:-1])}" if path[1:] else ""
    return DocumentError(
        f"unknown key {path[-1]!r}{where}",
        at=source.location(entry.key_span.start),
        hint=did_you_mean(
            path[-1], known, otherwise=f"the keys here are {', '.join(sorted(known))}"
        ),
    )


def _check_required(tree: Node, at: Location) -> None:
    for key in ("dlm_id", "base_model"):
        if key not in (tree.entries or {}):
            raise DocumentError(
                f"the frontmatter does not set {key}",
                at=at,
                hint="`dlm init` writes a new document with both dlm_id and base_model",
            )


def _validate(source: Source, tree: Node, elsewhere: list[tuple[KeyPath, Entry]]) -> Frontmatter:
    values = tree.plain()
    for path, _ in elsewhere:
        _forget(values, path)
    identity = find_entry(tree, ("dlm_id",))
    if identity and identity.value.written is not None:
        # A ULID made of digits only would be a number in YAML.
        values["dlm_id"] = identity.value.written
    try:
        if not Frontmatter.__pydantic_complete__:  # the first document of a process
            with without_plugins():
                Frontmatter.model_rebuild()
        return Frontmatter.model_validate(values)
    except ValidationError as error:
        raise _wrong_value(source, tree, error) from error


def _forget(values: Any, path: KeyPath) -> None:
    for key in path[:-1]:
        values = values[key]
    del values[path[-1]]


def _wrong_value(source: Source, tree: Node, error: ValidationError) -> DocumentError:
    details = error.errors(include_url=False)[0]
    model: type[BaseModel] = Frontmatter
    path: list[str] = []
    for step in details["loc"]:
        path.append(str(step))
        inner = submodel(model, str(step))
        if inner is None:
            break
        model = inner
    owner: type[BaseModel] = Frontmatter
    for key in path[:-1]:
        owner = submodel(owner, key) or owner
    entry = find_entry(tree, tuple(path))
    name, node = ".".join(path), entry.value if entry else tree
    inside = details["loc"][len(path) :]
    item_model = _item_model(owner, path[-1]) if inside and node.items else None
    if item_model is not None and node.items and isinstance(inside[0], int):
        owner, node, name = item_model, node.items[inside[0]], f"an entry of {name}"
        path = [str(inside[1])] if len(inside) > 1 else [next(iter(owner.model_fields))]
        found = (node.entries or {}).get(path[0])
        if found is not None and path[0] not in owner.model_fields:
            return _unknown_key(source, (*name.split("."), path[0]), found, owner)
        name, node = f"{path[0]} in {name}", found.value if found else node
    meaning = owner.model_fields[path[-1]].description
    return DocumentError(
        f"{name} must be {meaning}, not {_shown(node.span.of(source.text))}",
        at=source.location(node.span.start),
        hint=None if path == ["path"] else _default_hint(path),
    )


def _default_hint(path: list[str]) -> str:
    fresh = path == ["dlm_id"]
    return "`dlm init` writes a fresh one" if fresh else "leave the key out to get its default"


def _item_model(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model of the items of the list under `key`, if they are mappings."""
    items = get_args(model.model_fields[key].annotation)
    kinds = (items[0], *get_args(items[0])) if items else ()
    found = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return next(found, None)


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return (f"{flat[:37]}..." if len(flat) > 40 else flat) or "empty"


def _warnings(
    source: Source, tree: Node, values: Frontmatter, elsewhere: list[tuple[KeyPath, Entry]]
) -> Iterator[Warning_]:
    if elsewhere:
        names = ", ".join(".".join(path) for path, _ in elsewhere)
        at = source.location(elsewhere[0][1].key_span.start)
        yield Warning_(f"this tool keeps but does not act on: {names}", at)
    adapter = find_entry(tree, ("training", "adapter"))
    if adapter and values.training.adapter != "lora":
        at = source.location(adapter.value.span.start)
        four_bits = values.training.adapter == "qlora" and values.training.quantization is None
        more = "; training.quantization: 4bit holds the base in four bits" if four_bits else ""
        yield Warning_(f"plain LoRA is trained in place of {values.training.adapter}{more}", at)
