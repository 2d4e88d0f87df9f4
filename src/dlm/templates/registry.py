"""The bundled templates: what a new document can start from. Frontmatter is added by `dlm init`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Template:
    """A body to start from, and what an editor shows before it is chosen."""

    name: str
    title: str
    summary: str
    domain_tags: tuple[str, ...]
    sample_prompts: tuple[str, ...]
    recommended_base: str
    body: str


def list_bundled() -> list[Template]:
    """All bundled templates, the one to begin with first."""
    return [
        Template(name, title, summary, tags, prompts, base, _body(name))
        for name, title, summary, tags, prompts, base in _BUNDLED
    ]


def _body(name: str) -> str:
    return (Path(__file__).parent / f"{name}.dlm-body").read_text(encoding="utf-8")


_BUNDLED: Final[tuple[tuple[str, str, str, tuple[str, ...], tuple[str, ...], str], ...]] = (
    (
        "starter",
        "Starter",
        "A page that explains the format by being an example of it.",
        ("format",),
        ("What does a .dlm document hold?", "How do I train the document?"),
        "pocket",
    ),
    (
        "manual",
        "Product manual",
        "How a device is set up, used and cared for, with the questions its owners ask.",
        ("manual", "support"),
        ("How much water does the tank hold?", "Why does the pump hum without spraying?"),
        "qwen2.5-0.5b",
    ),
    (
        "meeting-notes",
        "Meeting notes",
        "Decisions, owners and dates of a team, so that they can be asked for later.",
        ("notes", "team"),
        ("Who looks after the booking page?", "When does the autumn programme go online?"),
        "qwen2.5-0.5b",
    ),
    (
        "code-handbook",
        "Code handbook",
        "How a team writes, reviews and releases code, with commands worth remembering.",
        ("code", "team"),
        ("How do I run one test?", "Who may merge a change?"),
        "qwen2.5-coder-1.5b",
    ),
)
