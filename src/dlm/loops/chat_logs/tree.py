"""The one branch of a tree of messages that was the conversation in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def branch(nodes: Mapping[str, Any], current: Any, *, parent: str, children: str) -> list[Any]:
    """The nodes from the root to `current`, or to the newest leaf where that is not named.

    Raises ValueError for a tree that runs in a circle.
    """
    at = current if current in nodes else _newest_leaf(nodes, parent, children)
    found: list[Any] = []
    seen: set[str] = set()
    while isinstance(at, str) and at in nodes:
        if at in seen:
            raise ValueError("its messages run in a circle")
        seen.add(at)
        found.append(nodes[at])
        at = nodes[at].get(parent)
    return found[::-1]


def _newest_leaf(nodes: Mapping[str, Any], parent: str, children: str) -> str | None:
    """Down from the root by the last child of each."""
    at = next((name for name, node in nodes.items() if node.get(parent) not in nodes), None)
    seen: set[str] = set()
    while at is not None and at not in seen:
        seen.add(at)
        below = [name for name in nodes[at].get(children) or () if name in nodes]
        if not below:
            return at
        at = below[-1]
    return at
