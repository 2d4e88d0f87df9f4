"""Whether a set of preference triples is balanced: how different its prompts are, and which way
its chosen answers point.

A set that always prefers one kind of answer teaches that kind and little else. The rules are
lexical and English. Documents and training are not known here.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any, Final, Protocol

from dlm.text.words import content_words, count, dice, distinct, grams, words

_FEWEST: Final = 5  # triples below which nothing is called one-sided
_MOSTLY: Final = 0.8  # share of all triples
_STANCES: Final = 0.2  # share of the triples that point anywhere, when all of those point one way
_LENGTH_MARGIN: Final = 0.1  # what differs by less counts as equally long
_LENGTH_RATIO: Final = 1.5  # of the medians; below it a habit of length is harmless
_REPEATED: Final = 0.5  # share of different prompts
_ALIKE: Final = 0.75  # mean Dice of the content words with the nearest other prompt
_COMPARED: Final = 300  # prompts at most, spread over the set


class Preferred(Protocol):
    """Anything with a prompt, a better and a worse answer."""

    @property
    def prompt(self) -> str: ...
    @property
    def chosen(self) -> str: ...
    @property
    def rejected(self) -> str: ...


class Direction(StrEnum):
    """What an answer does to the one who asked, beyond answering."""

    AGREEING = "agreeing"
    DECLINING = "declining"
    CORRECTING = "correcting"


@dataclass(frozen=True, slots=True)
class Balance:
    """What `n` triples have in common.

    `prompts` counts the different ones, `distinct_bigrams` is the share of different word pairs
    among all of the prompts (distinct-2 of Li et al., 2016), `self_overlap` the mean Dice of the
    content words of a prompt with its nearest other, 0..1. `toward` counts the triples whose chosen
    answer does something that its rejected one does not, `away` the reverse. `longer` and `shorter`
    count the chosen answers that are so by more than a tenth; `length_ratio` is the median of
    chosen to rejected length in words. `warnings` are sentences for the owner.
    """

    n: int
    prompts: int
    distinct_bigrams: float
    self_overlap: float
    toward: Mapping[Direction, int]
    away: Mapping[Direction, int]
    longer: int
    shorter: int
    length_ratio: float
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "n": self.n,
            "prompts": self.prompts,
            "distinct_bigrams": round(self.distinct_bigrams, 3),
            "self_overlap": round(self.self_overlap, 3),
            "toward": {each.value: self.toward[each] for each in Direction},
            "away": {each.value: self.away[each] for each in Direction},
            "longer": self.longer,
            "shorter": self.shorter,
            "length_ratio": round(self.length_ratio, 3) if self.n else None,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        """`12 triples, 11 prompts; chosen agreeing 0, declining 1, …; longer 4, shorter 5`."""
        told = ", ".join(f"{each.value} {self.toward[each]}" for each in Direction)
        return (
            f"{count(self.n, 'triple')} on {count(self.prompts, 'prompt')} (overlap "
            f"{self.self_overlap:.2f}); chosen: {told}; {self.longer} longer and {self.shorter} "
            f"shorter than the rejected"
        )


def balance(triples: Iterable[Preferred]) -> Balance:
    """Measure a set of triples. Pure; nothing is one-sided below five of them."""
    found = list(triples)
    prompts = list(dict.fromkeys(" ".join(words(one.prompt)) for one in found))
    toward, away = Counter[Direction](), Counter[Direction]()
    for one in found:
        chosen, rejected = directions(one.chosen), directions(one.rejected)
        toward.update(chosen - rejected)
        away.update(rejected - chosen)
    ratios = [_length(one.chosen) / _length(one.rejected) for one in found]
    measured = Balance(
        n=len(found),
        prompts=len(prompts),
        distinct_bigrams=_distinct_bigrams(prompts),
        self_overlap=_self_overlap(prompts),
        toward={each: toward[each] for each in Direction},
        away={each: away[each] for each in Direction},
        longer=sum(ratio > 1 + _LENGTH_MARGIN for ratio in ratios),
        shorter=sum(ratio < 1 / (1 + _LENGTH_MARGIN) for ratio in ratios),
        length_ratio=median(ratios) if ratios else math.nan,
    )
    return _with_warnings(measured)


def directions(answer: str) -> frozenset[Direction]:
    """What an answer does beyond answering, told by how it begins."""
    opening = " ".join(answer.replace("’", "'").split()[:40]).lower()
    return frozenset(each for each, cue in _CUES.items() if cue.search(opening))


def _with_warnings(measured: Balance) -> Balance:
    if measured.n < _FEWEST:
        return measured
    warnings = (*_alike(measured), *_pointing(measured), *_lengths(measured))
    values = {name: getattr(measured, name) for name in measured.__slots__}
    return Balance(**{**values, "warnings": warnings})


def _alike(measured: Balance) -> Iterator[str]:
    n, prompts = measured.n, measured.prompts
    if prompts / n < _REPEATED:
        yield (
            f"{count(n, 'triple')} ask only {count(prompts, 'different thing')}: "
            "the preference will be learned for these, and may not carry over to others"
        )
    elif prompts > 1 and measured.self_overlap > _ALIKE:
        yield (
            f"the {prompts} prompts share most of their words with each other (overlap "
            f"{measured.self_overlap:.2f}, n={n}): add prompts of another kind"
        )


def _pointing(measured: Balance) -> Iterator[str]:
    for counts, verb in ((measured.toward, "prefer"), (measured.away, "reject")):
        stances = sum(counts.values())
        for each, number in counts.items():
            mostly = number / measured.n >= _MOSTLY
            alone = number == stances and number / measured.n >= _STANCES
            if number >= _FEWEST and (mostly or alone):
                habit = "always" if verb == "prefer" else "never"
                others = "none" if number == stances else "hardly any"
                yield (
                    f"one-sided: {number} of {measured.n} triples {verb} {each.value}, "
                    f"{others} another direction: the model may come to be {habit} "
                    f"{each.value}; add triples that point the other way"
                )


def _lengths(measured: Balance) -> Iterator[str]:
    ratio = measured.length_ratio
    for number, word, times, habit in (
        (measured.longer, "longer", ratio, "wordy"),
        (measured.shorter, "shorter", 1 / ratio, "terse"),
    ):
        if number / measured.n >= _MOSTLY and times >= _LENGTH_RATIO:
            yield (
                f"one-sided: the chosen answer is the {word} one in {number} of {measured.n} "
                f"triples, {times:.1f} times by the median: the model may learn to be {habit} "
                "whatever is asked; add triples that point the other way"
            )


def _distinct_bigrams(prompts: Sequence[str]) -> float:
    return distinct([gram for prompt in prompts for gram in grams(prompt.split(), 2)])


def _self_overlap(prompts: Sequence[str]) -> float:
    """Mean over the prompts of the largest Dice of content words with another one."""
    step = max(1, math.ceil(len(prompts) / _COMPARED))
    words = [content_words(prompt) for prompt in prompts[::step]]
    if len(words) < 2:
        return 0.0
    nearest = [0.0] * len(words)
    for i, one in enumerate(words):
        for j in range(i):
            alike = dice(one, words[j])
            nearest[i], nearest[j] = max(nearest[i], alike), max(nearest[j], alike)
    return sum(nearest) / len(nearest)


def _length(text: str) -> int:
    return max(1, len(text.split()))


# How an answer begins that agrees, declines or corrects: over the first words of it, in lower case.
_CUES: Final[Mapping[Direction, re.Pattern[str]]] = {
    Direction.AGREEING: re.compile(
        r"^(?:yes\b|yep\b|yeah\b|(?:of course|absolutely|certainly|definitely|exactly|indeed|"
        r"sure|agreed)(?=[,.!:;]|\Z)|(?:you are|you're|that is|that's) "
        r"(?:so |quite |absolutely |completely |totally )?"
        r"(?:right|correct|a (?:great|good|fantastic|wonderful|excellent|brilliant)\b)|"
        r"(?:great|good|excellent|wonderful|brilliant) (?:question|idea|point|plan)|"
        r"i (?:completely |totally |fully )?agree\b)"
    ),
    Direction.DECLINING: re.compile(
        r"^(?:no[,.] )?(?:(?:i'm |i am )?(?:sorry|afraid)[,.]? (?:but |that )?)?"
        r"(?:i (?:can't|cannot|can not|won't|will not|am not able to|am unable to|do not know|"
        r"don't know|have no (?:information|way)|must decline|would rather not|prefer not)\b|"
        r"i'm (?:not able to|unable to|not sure)\b|"
        r"(?:the (?:notes|document|text|handbook|manual|passage)|this (?:document|text)|"
        r"my notes) (?:do not|does not|don't|doesn't) (?:say|mention|tell|cover|contain)\b|"
        r"(?:that|this) is not (?:something i|in the|covered|mentioned|known)\b|"
        r"there is (?:no information|nothing (?:about|on|in))\b)"
    ),
    Direction.CORRECTING: re.compile(
        r"^(?:no(?=[,.:;!]| it | that | the | there )(?!, thank)(?! problem)(?! worries)|"
        r"actually\b|not (?:quite|exactly|really)\b|in fact\b|on the contrary\b|"
        r"(?:that|this|it)(?: is| was|'s) (?:wrong|incorrect|false|mistaken|untrue|"
        r"not (?:quite |actually |entirely )?(?:right|correct|true|so\b|the case)|"
        r"a (?:common )?(?:mistake|misconception|misunderstanding|myth))\b|"
        r"(?:that|this|it) isn't (?:quite )?(?:right|correct|true|so)\b|"
        r"(?:one |a )?(?:small |slight )?correction\b|contrary to\b)"
    ),
}
