"""The learned map over the document: its own text, section by section, with its questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dlm.report.charts import strip
from dlm.report.facts import Facts, Knowledge, PairFacts, SectionFacts
from dlm.report.html import Html, chip, join, missing, part, state_class, tag, user
from dlm.report.summary import totals
from dlm.report.words import count, percent

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


def knowledge(facts: Facts) -> Html:
    """The part with the map."""
    if not facts.sections:
        return part("map", "The document", None, missing("The document holds no text."))
    title = "What it knows, section by section" if facts.card else "The document"
    lead = (
        "The text of the document as it stands. A section of questions is learned when all of its "
        "answers are right and hold in other wordings; prose, when at least half of the base's "
        "uncertainty about it is gone."
        if facts.card
        else "The text of the document as it stands. Nothing of it was measured yet."
    )
    told = f"The document from beginning to end: {_told(facts.sections)}"
    picture = strip(told, _blocks(facts.sections))
    return part("map", title, lead, picture, _legend(facts.sections), list(_articles(facts)))


def _legend(sections: Sequence[SectionFacts]) -> Html:
    found = totals(sections)
    items = [
        tag("li", chip(state, f"{number} {state.value}"))
        for state in Knowledge
        if (number := found[state])
    ]
    return tag("ul", items, class_="legend")


def _told(sections: Sequence[SectionFacts]) -> str:
    found = totals(sections)
    return ", ".join(f"{found[state]} {state.value}" for state in Knowledge if found[state])


def _blocks(sections: Sequence[SectionFacts]) -> list[tuple[str, str | None, int, str]]:
    """What the strip shows: a section a block, neighbours together where there are too many."""
    size = -(-len(sections) // MOST_BLOCKS)
    shown = _shown(sections)
    blocks = []
    for start in range(0, len(sections), size):
        group = sections[start : start + size]
        state, _ = totals(group).most_common(1)[0]
        words = f"line {group[0].line}, {state.value}: {group[0].opening[:80]}"
        if len(group) > 1:
            words = f"line {group[0].line} to {group[-1].line}: {_told(group)}"
        link = _anchor(group[0]) if start < shown else None
        length = sum(max(_length(section), _SHORTEST) for section in group)
        blocks.append((state_class(state), link, length, words))
    return blocks


def _shown(sections: Sequence[SectionFacts]) -> int:
    """How many sections, from the first on, are shown with their text."""
    characters = 0
    for index, section in enumerate(sections[:MOST_SECTIONS]):
        if characters > MOST_SHOWN:
            return index
        characters += min(_length(section), MOST_TEXT * (1 + len(section.pairs)))
    return min(len(sections), MOST_SECTIONS)


def _articles(facts: Facts) -> Iterator[Html]:
    shown = _shown(facts.sections)
    for section in facts.sections[:shown]:
        yield _article(section)
    if rest := facts.sections[shown:]:
        yield missing(
            f"{count(len(rest), 'more section')} from line {rest[0].line} on: the document is too "
            "long to be shown whole. The strip above and the counts are of all of it; "
            "`dlm show --learned` lists them."
        )


def _article(section: SectionFacts) -> Html:
    class_ = state_class(section.state)
    body = _pairs(section) if section.pairs else _text(section.text, section.line)
    return tag("article", _head(section), body, id=_anchor(section), class_=f"sec {class_}")


def _head(section: SectionFacts) -> Html:
    what = count(len(section.pairs), "question") if section.pairs else section.type.title()
    name = [" · ", user(section.name, 40)] if section.name else []
    machine = section.origin != "authored"
    return tag(
        "div",
        tag("h3", what, *name, tag("span", f" line {section.line}", class_="soft small")),
        tag("span", section.origin, class_="chip plain") if machine else None,
        chip(section.state, _state_words(section)),
        class_="head",
    )


def _state_words(section: SectionFacts) -> str:
    if section.known is None:
        return section.state.value
    return f"{section.state.value} · {percent(section.known)}"


def _text(text: str, line: int) -> Html:
    shown, rest = _cut(text)
    lines = [
        tag("span", one, class_="h") if one.startswith("#") else join(one)
        for one in shown.split("\n")
    ]
    whole = join(*(join(one, "\n") for one in lines))
    return join(tag("p", whole, class_="text", dir="auto"), _rest_note(rest, line))


def _pairs(section: SectionFacts) -> Html:
    shown = section.pairs[:MOST_PAIRS]
    rest = len(section.pairs) - len(shown)
    note = f"{count(rest, 'more question')} in this section of the file." if rest else None
    return join(
        tag("ul", [_pair(pair, alone=len(section.pairs) == 1) for pair in shown], class_="pairs"),
        tag("p", note, class_="soft small") if note else None,
    )


def _pair(pair: PairFacts, *, alone: bool) -> Html:
    """One question; the only one of its section stands as the section does."""
    apart = pair.role in ("exam", "held out")
    word = ("right" if pair.right else "wrong") if apart and pair.right is not None else None
    question, more = _cut(pair.question)
    role = _ROLES.get(pair.role)
    lines = [
        tag("p", question, class_="q", dir="auto", style="margin:0"),
        None if alone and not apart else chip(pair.state, word),
        tag("p", role, class_="qa soft small") if role else None,
        _answer("Answer", pair.answer, pair.line),
    ]
    if pair.said is not None and pair.right is False:
        lines.append(_answer("It says", pair.said or "nothing", pair.line))
    return tag("li", *lines, _rest_note(more, pair.line))


def _answer(name: str, text: str, line: int) -> Html:
    shown, rest = _cut(text)
    return join(
        tag("p", tag("b", f"{name}: "), tag("bdi", shown), class_="qa"), _rest_note(rest, line)
    )


def _cut(text: str) -> tuple[str, int]:
    """The beginning that is shown, and how many characters are not."""
    if len(text) <= MOST_TEXT:
        return text, 0
    end = max(
        text.rfind("\n", MOST_TEXT // 2, MOST_TEXT), text.rfind(" ", MOST_TEXT - 200, MOST_TEXT)
    )
    shown = text[: end if end > 0 else MOST_TEXT]
    return f"{shown} …", len(text) - len(shown)


def _rest_note(rest: int, line: int) -> Html | None:
    if not rest:
        return None
    text = f"{rest:,} more characters are in the file, from line {line} on."
    return tag("p", text, class_="soft small")


def _anchor(section: SectionFacts) -> str:
    return f"s{section.number}"


def _length(section: SectionFacts) -> int:
    return len(section.text) + sum(len(pair.question) + len(pair.answer) for pair in section.pairs)
