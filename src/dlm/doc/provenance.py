"""Where a machine-written section came from, and the marker comment that says so.

One value, one codec, one table of spellings: the rest of the program never sees an attribute name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dlm.errors import DocumentError


class Origin(StrEnum):
    """How a machine-written section got into the document."""

    SYNTHESIZED = "synthesized"
    MINED = "mined"
    HARVESTED = "harvested"
    PUSHED = "pushed"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a machine-written section got here; hand-written sections have none.

    A time without a zone is taken as UTC. Raises ValueError for a score that is not a finite number
    and for a name of a score or extra attribute that cannot stand in a marker.
    """

    origin: Origin
    by: str = ""
    run: str = ""
    at: datetime | None = None
    derived_from: str | None = None
    scores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def __post_init__(self) -> None:
        if self.at is not None and self.at.tzinfo is None:
            object.__setattr__(self, "at", self.at.replace(tzinfo=UTC))
        for name in (*self.scores, *self.extra):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name an attribute")
        for name, score in self.scores.items():
            if not math.isfinite(score):
                raise ValueError(f"the score {name!r} is not a finite number")


_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

# Marker word -> what each attribute of it means. `scores.x` is one score; what no row names is
# `extra`. Other tools of this format write these names, most of them fewer attributes.
_SPELLINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "dlm-auto-synth": {
        "synth_teacher": "by",
        "synth_at": "at",
        "source_section_id": "derived_from",
        "run": "run",
    },
    "dlm-auto-harvest": {
        "source": "derived_from",
        "by": "by",
        "at": "at",
        "run": "run",
        "origin": "origin",
    },
    "dlm-auto-mined": {
        "judge_name": "by",
        "judge_score_chosen": "scores.chosen",
        "judge_score_rejected": "scores.rejected",
        "mined_at": "at",
        "mined_run_id": "run",
        "derived_from": "derived_from",
    },
}
_WORDS: Final[Mapping[Origin, str]] = {
    Origin.SYNTHESIZED: "dlm-auto-synth",
    Origin.MINED: "dlm-auto-mined",
    Origin.HARVESTED: "dlm-auto-harvest",
    Origin.PUSHED: "dlm-auto-harvest",
    Origin.IMPORTED: "dlm-auto-harvest",
}
_DEFAULT_ORIGIN: Final[Mapping[str, Origin]] = {
    "dlm-auto-synth": Origin.SYNTHESIZED,
    "dlm-auto-mined": Origin.MINED,
    "dlm-auto-harvest": Origin.HARVESTED,
}
# An attribute whose plain name is taken is written with a prefix.
_SCORE, _EXTRA = "score_", "extra_"

_MARKER: Final = re.compile(r"<!-- (?P<word>dlm-[a-z-]+):(?P<attributes>[^\n]*?) ?-->")
_ATTRIBUTE: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_.-]*)="([^"]*)"(?=\s|\Z)')
_ENTITY: Final = re.compile(r"&(?:(amp|quot|lt|gt)|#x([0-9a-f]{1,6}));")
_UNSAFE: Final = re.compile('[&"<>\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]')
_UTC_OFFSET: Final = re.compile(r"\+00:00\Z")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NAMED: Final = {"amp": "&", "quot": '"', "lt": "<", "gt": ">"}
_BY_CHARACTER: Final = {character: f"&{name};" for name, character in _NAMED.items()}


def parse_marker(line: str) -> Provenance:
    """Read a marker comment; DocumentError, without a place, when it is malformed."""
    found = _MARKER.fullmatch(line.rstrip())
    if found is None:
        raise DocumentError(
            "the provenance marker is malformed",
            hint='write it on one line, as in <!-- dlm-auto-synth: synth_teacher="self" -->',
        )
    spelling = _SPELLINGS.get(found["word"])
    if spelling is None:
        known = ", ".join(_SPELLINGS)
        raise DocumentError(f"{found['word']!r} is not a provenance marker", hint=f"known: {known}")
    attributes = parse_attributes(found["attributes"])
    return _provenance(_DEFAULT_ORIGIN[found["word"]], spelling, attributes)


def format_marker(provenance: Provenance) -> str:
    """The marker comment of a provenance, on one line; `parse_marker` gives back an equal value."""
    word = _WORDS[provenance.origin]
    pairs = [(name, value) for name, value in _attributes(provenance, word) if value is not None]
    return f"<!-- {word}: {format_attributes(pairs)} -->"


def parse_attributes(text: str) -> dict[str, str]:
    """Read `key="value" …`; DocumentError, without a place, when it is malformed."""
    attributes: dict[str, str] = {}
    position = 0
    text = text.strip()
    while position < len(text):
        found = _ATTRIBUTE.match(text, position)
        if found is None:
            raise DocumentError(
                f"{_shorten(text[position:].strip())!r} is not an attribute",
                hint='write key="value", and &quot; for a quote inside the value',
            )
        if found[1] in attributes:
            raise DocumentError(f"the attribute {found[1]!r} is given twice")
        attributes[found[1]] = _ENTITY.sub(_character, found[2])
        position = found.end()
    return attributes


def format_attributes(pairs: Iterable[tuple[str, str]]) -> str:
    """`key="value" …` on one line, whatever the values hold."""
    return " ".join(f'{name}="{_UNSAFE.sub(_entity, value)}"' for name, value in pairs)


def _attributes(provenance: Provenance, word: str) -> Iterator[tuple[str, str | None]]:
    spelling = _SPELLINGS[word]
    values: dict[str, str | None] = {
        "by": provenance.by or None,
        "run": provenance.run or None,
        "at": _UTC_OFFSET.sub("Z", provenance.at.isoformat()) if provenance.at else None,
        "derived_from": provenance.derived_from,
        "origin": None if _DEFAULT_ORIGIN[word] is provenance.origin else provenance.origin.value,
    }
    scores = {f"scores.{name}": repr(float(score)) for name, score in provenance.scores.items()}
    for name, meaning in spelling.items():
        yield name, values[meaning] if meaning in values else scores.pop(meaning, None)
    for meaning, score in scores.items():
        yield f"{_SCORE}{meaning.removeprefix('scores.')}", score
    for name, value in provenance.extra.items():
        plain = name not in spelling and not name.startswith((_SCORE, _EXTRA))
        yield (name if plain else f"{_EXTRA}{name}"), value


def _provenance(
    origin: Origin, spelling: Mapping[str, str], attributes: Mapping[str, str]
) -> Provenance:
    values: dict[str, str] = {}
    scores: dict[str, float] = {}
    extra: dict[str, str] = {}
    for name, value in attributes.items():
        meaning = spelling.get(name)
        if meaning is not None and meaning.startswith("scores."):
            scores[meaning.removeprefix("scores.")] = _score(name, value)
        elif meaning is not None:
            values[meaning] = value
        elif rest := _after(_SCORE, name):
            scores[rest] = _score(name, value)
        else:
            extra[_after(_EXTRA, name) or name] = value
    return Provenance(
        origin=_origin(values["origin"]) if "origin" in values else origin,
        by=values.get("by", ""),
        run=values.get("run", ""),
        at=_time(values["at"]) if values.get("at") else None,
        derived_from=values.get("derived_from"),
        scores=MappingProxyType(scores),
        extra=MappingProxyType(extra),
    )


def _after(prefix: str, name: str) -> str | None:
    rest = name.removeprefix(prefix)
    return rest if rest != name and _NAME.fullmatch(rest) else None


def _score(name: str, value: str) -> float:
    score = float(value) if _NUMBER.fullmatch(value) else math.inf
    if not math.isfinite(score):
        raise DocumentError(f"{name} must be a number, not {_shorten(value)!r}")
    return score


def _origin(value: str) -> Origin:
    spelled = [origin.value for origin in Origin if _WORDS[origin] == "dlm-auto-harvest"]
    if value not in spelled:
        raise DocumentError(f"origin must be one of {', '.join(spelled)}, not {_shorten(value)!r}")
    return Origin(value)


def _time(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise DocumentError(
            f"{_shorten(value)!r} is not a time", hint="write it as 2026-04-23T18:42:11Z"
        ) from None


def _entity(match: re.Match[str]) -> str:
    character = match[0]
    return _BY_CHARACTER.get(character) or f"&#x{ord(character):x};"


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return _NAMED[match[1]]
    code = int(match[2], 16)
    return chr(code) if code <= 0x10FFFF else match[0]


def _shorten(text: str) -> str:
    return f"{text[:37]}..." if len(text) > 40 else text
