"""What a file beside a document holds, told by its name alone."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

_PROSE: Final = frozenset(
    ("", ".md", ".markdown", ".mdown", ".mdx", ".qmd", ".txt", ".text", ".rst", ".adoc", ".org")
)


def is_code(file: str) -> bool:
    """Whether a file, by its name, holds something else than prose."""
    return PurePosixPath(file).suffix.lower() not in _PROSE
