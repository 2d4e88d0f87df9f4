"""Writing pairs from a passage: read and judged by the same code as `dlm synth`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dlm.data.completion import Request
from dlm.engine.resident import Resident
from dlm.loops.synth.filters import malformed
from dlm.loops.synth.generate import SYSTEM, extraction, normalised
from dlm.loops.synth.grounding import support
from dlm.loops.synth.parsing import parse_pairs
from dlm.loops.synth.passages import Evidence
from recipe.measures.completing import complete
from recipe.passages import Passage

SHOWN: Final = 30
_COUNTS: Final = (1, 2, 3)  # pairs asked for, in turn


def writing(base: Resident, passages: Sequence[Passage]) -> tuple[dict[str, Any], list[str]]:
    """Rates over completions and over pairs, greedy; and the first thirty as a text to read."""
    counts = [_COUNTS[number % len(_COUNTS)] for number in range(len(passages))]
    requests = [
        Request(
            SYSTEM,
            extraction(passage.text, count),
            max_new_tokens=80 * count,
            temperature=0.0,
        )
        for passage, count in zip(passages, counts, strict=True)
    ]
    told = complete(base, requests)
    read = [parse_pairs(text) for text in told]
    pairs = [
        (passage.text, question, answer)
        for passage, parsed in zip(passages, read, strict=True)
        for question, answer in parsed.pairs
    ]
    distinct = sum(len({normalised(q, "") for q, _ in parsed.pairs}) for parsed in read)
    grounded = [support(Evidence.of(text), q, a).holds for text, q, a in pairs]
    formed = [malformed(q, a) is None for _, q, a in pairs]
    figures = {
        "passages": len(passages),
        "parsed": _rate([bool(one.pairs) and not one.dropped for one in read]),
        "as_many_as_asked": _rate(
            [len(one.pairs) == count for one, count in zip(read, counts, strict=True)]
        ),
        "pairs": len(pairs),
        "grounded": _rate(grounded),
        "well_formed": _rate(formed),
        "kept": _rate([one and two for one, two in zip(grounded, formed, strict=True)]),
        "distinct": distinct / len(pairs) if pairs else 0.0,
    }
    shown = zip(passages[:SHOWN], told, strict=False)
    return figures, [f"{passage.text}\n\n{text}" for passage, text in shown]


def _rate(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0
