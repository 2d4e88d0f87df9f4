"""`dlm show --learned`: the learned map, in colour on a terminal and in words everywhere."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dlm.cli.common import count, note, print_json

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.eval.learned_map import SectionState
    from dlm.eval.scorecard import Scorecard

_BAR = 10  # characters


def run(document: Document, *, as_json: bool) -> None:
    """Show the map that is kept for the current version and text; measure where there is none."""
    from dlm.engine.versions import choose_version
    from dlm.eval.keeping import kept
    from dlm.eval.learned_map import learned_map
    from dlm.store.store import Store

    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
        current = choose_version(store, document, None)
        card = kept(store, current, document.sha256)
        if card is None:
            from dlm.cli.eval import measure_now

            card = measure_now(store, current, document)
    if as_json:
        sections = [state.to_json() for state in learned_map(document, card)]
        print_json({"version": current.name, "sections": sections})
        return
    print(f"{current.name} on {document.path}")
    print_map(document, card)


def print_map(document: Document, card: Scorecard) -> None:
    """One line a section, and how many are in which state."""
    from collections import Counter

    from dlm.eval.learned_map import State, learned_map

    states = learned_map(document, card)
    for state in states:
        print(_line(state))
    totals = Counter(state.state for state in states)
    parts = [f"{totals[state]} {state.value}" for state in State if totals[state]]
    print(f"{count(len(states), 'section')}: {', '.join(parts) or 'none that teaches'}")


def _line(section: SectionState) -> str:
    full = round(section.known * _BAR)
    word = f"{section.state.value:<11}"
    bar = "█" * full + "░" * (_BAR - full)
    what = f"{section.right} of {section.pairs}" if section.pairs else section.type
    place = f"line {section.line:<5} {what:<8} {section.opening[:60]}"
    return f"{_coloured(section, f'{word}  {bar}')}  {place}"


def _coloured(section: SectionState, text: str) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    import typer

    colours = {"learned": "green", "partly": "yellow", "not learned": "red"}
    return typer.style(text, fg=colours[section.state.value])
