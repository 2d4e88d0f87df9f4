"""What bases are asked: texts, passages and questions of documents that none was trained on.

The same for every base of a run, and short enough for the shortest context among them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from recipe.asking import about, briefly
from recipe.conversations import leaves_open
from recipe.corpus import Text, plain_text, read
from recipe.english import Lexicon
from recipe.facts import Fact, by_sentence
from recipe.invented import invention
from recipe.passages import Passage, passages, with_facts

_PASSAGE_CHARACTERS: Final = (200, 900)
_READ_FOR_WORDS: Final = 400  # documents


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with a passage in it, and the answer; `kind` is sentence, brief or open."""

    kind: str
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Material:
    texts: dict[str, list[str]]  # by the owner of the source
    passages: list[Passage]
    questions: list[Question]


@dataclass(frozen=True, slots=True)
class Size:
    """How much to draw: texts of each source and their characters, passages, questions by kind."""

    texts: int
    characters: int
    passages: int
    questions: int


def material(corpus: Path, size: Size, *, seed: int) -> Material:
    """Held-out documents of a corpus as what bases are asked, drawn by `seed`."""
    held_out: list[Text] = []
    known: list[str] = []
    for text in read(corpus):
        if text.held_out:
            held_out.append(text)
        elif text.kind == "prose" and len(known) < _READ_FOR_WORDS:
            known.append(text.text)
    if not held_out:
        raise DlmError(
            f"no document of {corpus} is held out", hint="one in a hundred is: take a larger corpus"
        )
    rng = random.Random(seed)
    rng.shuffle(held_out)
    found = _passages(held_out, Lexicon.of(known), rng)
    return Material(
        _by_source(held_out, size), found[: size.passages], _questions(found, size.questions, rng)
    )


def _by_source(held_out: Sequence[Text], size: Size) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for text in held_out:
        owner, plain = text.source.split("/")[0], plain_text(text)
        if plain and len(found[owner]) < size.texts:
            found[owner].append(plain[: size.characters])
    return {owner: texts for owner, texts in sorted(found.items()) if texts}


def _passages(held_out: Sequence[Text], lexicon: Lexicon, rng: random.Random) -> list[Passage]:
    """One passage of each factual document, with facts in it."""
    shortest, longest = _PASSAGE_CHARACTERS
    found: list[Passage] = []
    for text in held_out:
        if not text.tells_facts:
            continue
        fit = [one for one in passages(text.text, rng) if shortest <= len(one.text) <= longest]
        rng.shuffle(fit)
        taken = (with_facts(one, lexicon) for one in fit[:8])
        found += [one for one in taken if one.facts][:2]
    rng.shuffle(found)
    return found


def _questions(found: Sequence[Passage], most: int, rng: random.Random) -> list[Question]:
    """As many of each kind; half of them about the corpus, half about inventions."""
    made: list[Question] = []
    for number in range(most):
        if number % 2 or not found:
            one = invention(rng)
            text, facts, strange = one.text, one.facts, one.unanswered[0]
        else:
            passage = found[number // 2 % len(found)]
            text, facts = passage.text, passage.facts
            strange = _strange(text, found, rng)
        made += _asked(text, rng.choice(by_sentence(list(facts)))[0], strange, rng)
    return made


def _asked(text: str, fact: Fact, strange: str, rng: random.Random) -> list[Question]:
    prompt = about(text, rng.choice(fact.questions), rng)
    return [
        Question("sentence", prompt, fact.answer),
        Question("brief", briefly(prompt, rng), fact.brief),
        Question("open", about(text, strange, rng), ""),
    ]


def _strange(text: str, found: Sequence[Passage], rng: random.Random) -> str:
    """A question of another passage that this one leaves open."""
    others = [fact for one in found for fact in one.facts if leaves_open(text, fact)]
    return rng.choice(rng.choice(others).questions) if others else "Who wrote this text?"
