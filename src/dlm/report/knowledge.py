"""What the version that answers knows: its figures, and the map over the document's own text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dlm.eval.answers import Kind
from dlm.eval.figures import Figure
from dlm.eval.scorecard import Scorecard
from dlm.report.charts import STATES
from dlm.report.facts import Facts, Knowledge, SectionFacts
from dlm.report.summary import totals
from dlm.report.words import between, percent, plain, signed, when
from dlm.text.words import count

MOST_TEXT: Final = 4_000
"""Characters of one text, question or answer that are shown."""

MOST_PAIRS: Final = 60
"""Questions of one section that are shown."""

MOST_SHOWN: Final = 400_000
"""Characters of the whole document that are shown; after them only the strip goes on."""

MOST_SECTIONS: Final = 1_000
"""Sections that are shown, however short they are."""

MOST_BLOCKS: Final = 400
"""Blocks of the strip."""

_SHORTEST: Final = 40  # characters: what a shorter section is drawn as

_ROLES: Final = {
    "probe": "probe: trained, and asked after each training",
    "exam": "exam: never trained",
    "held out": "held out: never trained",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure with what it means; `share` is drawn, with the words that stand for it."""

    name: str
    value: str
    note: str
    share: Figure | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A section of the strip, or several: its state's class, its place in it of 1,000 units."""

    state: str
    link: str | None
    x: float
    width: float
    words: str


def figures(facts: Facts) -> dict[str, Any]:
    """What `figures.html` shows."""
    if facts.card is None:
        text = (
            f"{facts.current} was never measured: dlm eval measures it."
            if facts.current
            else "There are no figures: nothing was trained yet."
        )
        return {"lead": None, "missing": text}
    return {
        "missing": None,
        "lead": f"Of {facts.current}, measured {when(facts.card.measured_at)}.",
        "tiles": list(_tiles(facts.card)),
        "rows": _rows(facts.card),
    }


def learned(facts: Facts) -> dict[str, Any]:
    """What `map.html` shows."""
    lead = "The text of the document as it stands."
    if facts.card:
        lead += (
            " A section of questions is learned when all of its answers are right and hold in "
            "other wordings; prose, when at least half of the base's uncertainty about it is gone."
        )
    else:
        lead += " Nothing of it was measured yet."
    sections = facts.sections
    shown = _shown(sections)
    return {
        "title": "What it knows, section by section" if facts.card and sections else "The document",
        "lead": lead if sections else None,
        "strip": f"The document from beginning to end: {_told(sections)}",
        "blocks": _blocks(sections) if sections else [],
        "totals": [(state, number) for state in Knowledge if (number := totals(sections)[state])],
        "sections": sections[:shown],
        "rest": _rest(sections[shown:]),
        "roles": _ROLES,
        "most": MOST_PAIRS,
    }


def cut(text: str) -> tuple[str, int]:
    """The beginning that is shown, and how many characters are not."""
    if len(text) <= MOST_TEXT:
        return text, 0
    end = max(
        text.rfind("\n", MOST_TEXT // 2, MOST_TEXT), text.rfind(" ", MOST_TEXT - 200, MOST_TEXT)
    )
    shown = text[: end if end > 0 else MOST_TEXT]
    return f"{shown} …", len(text) - len(shown)


def _tiles(card: Scorecard) -> Iterator[Tile]:
    recall = card.figure("recall", "right")
    yield _share("Trained on", recall, "right, of those it was trained on")
    yield from _notes_open(card)
    unseen = card.figure("generalisation", "right")
    exam = card.of(Kind.EXAM, Kind.HELD_OUT)
    if exam or unseen.value is None:
        note = "right, of questions it never saw"
        yield _share("Exam", unseen, note, "there is no exam: mark pairs with !exam")
    else:
        yield _share("Other wordings", unseen, "right, reworded by rule: this is no exam")
    probes = card.figure("probes", "right")
    if probes.n:
        yield _share("Probes", probes, "right, of the pairs marked !probe")
    yield _overall(card)
    yield _drift(card)


def _notes_open(card: Scorecard) -> Iterator[Tile]:
    """How `dlm prompt` answers: from the passages, where the other tiles ask the adapter alone."""
    trained, unseen = card.figure("open", "recall"), card.figure("open", "generalisation")
    for name, figure, which in (
        ("Trained on, notes open", trained, "those it was trained on"),
        ("Not trained on, notes open", unseen, "those it was not"),
    ):
        if figure.n:
            yield _share(name, figure, f"right, of {which}, from the document's passages")


def _share(name: str, figure: Figure, note: str, why_none: str | None = None) -> Tile:
    if figure.value is None:
        return Tile(name, "–", why_none or figure.note or "not measured")
    value, sure = f"{figure.hits} of {figure.n}", between(figure, percent)
    return Tile(name, value, f"{note}; {sure}", figure, f"{name}: {value}, {sure}")


def _overall(card: Scorecard) -> Tile:
    figure = card.figure("overall", "overall")
    if figure.value is None:
        return Tile("Overall", "–", figure.note)
    parts = ", ".join(
        f"{name} {plain(part.value)}"
        for name in ("accuracy", "coherence", "knowledge")
        if (part := card.figure("overall", name)).value is not None
    )
    value = plain(figure.value)
    return Tile("Overall", value, parts, figure, f"Overall: {value}")


def _drift(card: Scorecard) -> Tile:
    figure = card.figure("drift", "texts")
    if figure.value is None:
        return Tile("Drift", "–", figure.note or "not measured")
    note = f"nats a token on {figure.n} general texts; 0 is no change; {between(figure, signed)}"
    return Tile("Drift", signed(figure.value), note)


def _rows(card: Scorecard) -> list[list[str]]:
    return [
        [f"{group} · {name.replace('_', ' ')}", *_cells(figure)]
        for group, named in card.figures.items()
        for name, figure in named.items()
    ]


def _cells(figure: Figure) -> list[str]:
    if figure.value is None:
        return [figure.note, "–", "–", "–"]
    interval = "–"
    if figure.low is not None and figure.high is not None:
        interval = f"{_exact(figure.low)} … {_exact(figure.high)}"
    return [figure.note, _exact(figure.value), interval, str(figure.n)]


def _exact(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _rest(sections: Sequence[SectionFacts]) -> str | None:
    """Says that these are not shown."""
    if not sections:
        return None
    return (
        f"{count(len(sections), 'more section')} from line {sections[0].line} on: the document is "
        "too long to be shown whole. The strip above and the counts are of all of it; "
        "`dlm show --learned` lists them."
    )


def _told(sections: Sequence[SectionFacts]) -> str:
    found = totals(sections)
    return ", ".join(f"{found[state]} {state.value}" for state in Knowledge if found[state])


def _blocks(sections: Sequence[SectionFacts]) -> list[Block]:
    """What the strip shows: a section a block, neighbours together where there are too many."""
    size = -(-len(sections) // MOST_BLOCKS)
    shown = _shown(sections)
    total = sum(max(_length(section), _SHORTEST) for section in sections)
    blocks: list[Block] = []
    x = 0.0
    for start in range(0, len(sections), size):
        group = sections[start : start + size]
        state, _ = totals(group).most_common(1)[0]
        words = f"line {group[0].line}, {state.value}: {group[0].opening[:80]}"
        if len(group) > 1:
            words = f"line {group[0].line} to {group[-1].line}: {_told(group)}"
        link = f"s{group[0].number}" if start < shown else None
        length = sum(max(_length(section), _SHORTEST) for section in group)
        width = 1000 * length / total
        drawn = max(round(width - 2, 2), 1.0)
        blocks.append(Block(STATES[state][0], link, round(x, 2), drawn, words))
        x += width
    return blocks


def _shown(sections: Sequence[SectionFacts]) -> int:
    """How many sections, from the first on, are shown with their text."""
    characters = 0
    for index, section in enumerate(sections[:MOST_SECTIONS]):
        if characters > MOST_SHOWN:
            return index
        characters += min(_length(section), MOST_TEXT * (1 + len(section.pairs)))
    return min(len(sections), MOST_SECTIONS)


def _length(section: SectionFacts) -> int:
    return len(section.text) + sum(len(pair.question) + len(pair.answer) for pair in section.pairs)
