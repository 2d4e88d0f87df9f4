"""Which conversations are made of which documents, and how many of each task are wanted.

A pass over the documents is a function of them and of one seed; another seed draws other questions,
names and numbers from the same facts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dlm.text.sentences import sentences
from recipe import conversations as made
from recipe.asking import about, system
from recipe.chat_format import Conversation
from recipe.corpus import Text
from recipe.english import Lexicon
from recipe.facts import Fact
from recipe.invented import invention
from recipe.names import renamed
from recipe.passages import Passage, passages, with_facts
from recipe.questions import from_glossary, from_trivia
from recipe.requests import request_for
from recipe.small_talk import from_dialog, small_talk

# Share of the tokens of all conversations that each task is to have.
SHARES: Final = {
    "write pairs": 0.26,
    "write next": 0.03,
    "write request": 0.06,
    "answer": 0.17,
    "answer reworded": 0.08,
    "answer pronoun": 0.02,
    "refuse": 0.06,
    "recall": 0.07,
    "told before": 0.06,
    "answer at length": 0.05,
    "trivia": 0.05,
    "choice": 0.01,
    "glossary": 0.04,
    "small talk": 0.02,
    "copy": 0.01,
    "title": 0.01,
}
MOST_REPEATS: Final = 3  # of a conversation, where a task has too few for its share

# Names and numbers are exchanged in this share of what is about a passage.
_RENAMED: Final = 0.4
_ABOUT_PASSAGES: Final = frozenset(
    ["write pairs", "write next", "answer", "answer reworded", "answer pronoun", "told before"]
)
_INVENTIONS_PER_DOCUMENT: Final = 0.25


@dataclass(frozen=True, slots=True)
class Read:
    """A document with its passages and their facts, found once for all passes."""

    text: Text
    passages: tuple[Passage, ...]


def read_for_facts(text: Text, lexicon: Lexicon, rng: random.Random) -> Read:
    """Cut a document into passages, and find their facts where it tells any."""
    if text.kind not in ("prose", "fiction"):
        return Read(text, ())
    found = passages(text.text, rng)
    if text.tells_facts:
        found = [with_facts(passage, lexicon) for passage in found]
    return Read(text, tuple(found))


def lessons(
    documents: Sequence[Read], lexicon: Lexicon, rng: random.Random
) -> Iterator[Conversation]:
    """The conversations of one pass over some documents, with inventions among them."""
    others = [fact for one in documents for passage in one.passages for fact in passage.facts]
    for document in documents:
        for one in _of_document(document, others, lexicon, rng):
            exchanged = one.task in _ABOUT_PASSAGES and rng.random() < _RENAMED
            yield Conversation(one.task, renamed(one.turns, rng)) if exchanged else one
        if rng.random() < _INVENTIONS_PER_DOCUMENT:
            yield from _of_invention(rng)
    yield from small_talk(rng)


def _of_document(
    document: Read, others: Sequence[Fact], lexicon: Lexicon, rng: random.Random
) -> Iterator[Conversation]:
    if document.text.kind == "trivia":
        yield from from_trivia(document.text, rng)
    elif document.text.kind == "glossary":
        yield from from_glossary(document.text, lexicon, rng)
    elif document.text.kind == "dialog":
        yield from from_dialog(document.text.text, rng)
    elif document.text.kind == "prose":
        following = (*document.passages[1:], None)
        for passage, after in zip(document.passages, following, strict=False):
            yield from _of_passage(passage, after, others, rng)


def _of_passage(
    passage: Passage, after: Passage | None, others: Sequence[Fact], rng: random.Random
) -> Iterator[Conversation]:
    text, facts = passage.text, passage.facts
    yield from _of_heading(passage, rng)
    if rng.random() < 0.03:
        fitting = [one.text for one in sentences(text) if 30 < len(one.text) < 200]
        if fitting:
            yield made.copy(rng.choice(fitting), rng)
    if not facts:
        return
    yield from made.write_pairs(text, facts, rng)
    yield from made.answer_from(text, facts, rng)
    yield from made.answer_pronoun(text, facts, rng)
    if rng.random() < 0.3:
        yield from made.answer_reworded(text, rng.choice(facts), rng)
    if rng.random() < 0.3:
        yield from made.recall(rng.choice(facts), rng)
    if rng.random() < 0.1 and len(text) < 500:
        yield made.told_before(text, facts, rng)
    if after and rng.random() < 0.2:
        yield from made.write_next(text, after.text, after.facts, rng)
    if rng.random() < 0.3:
        # Half from the next passage, which is about the same things.
        pool = after.facts if after and after.facts and rng.random() < 0.5 else others
        strange = rng.choice(pool)
        if made.leaves_open(text, strange):
            yield made.refuse(text, rng.choice(strange.questions), rng)
    if rng.random() < 0.08:
        fact = rng.choice(facts)
        yield made.write_request(fact.answer, rng.choice(fact.questions))


def _of_heading(passage: Passage, rng: random.Random) -> Iterator[Conversation]:
    request = request_for(passage.heading, rng) if passage.heading else None
    if request is None:
        return
    draw = rng.random()
    if draw < 0.4:
        yield made.write_request(passage.text, request)
    elif draw < 0.6:
        yield made.answer_at_length(request, passage.text, rng)
    elif draw < 0.7:
        yield made.title_for(passage, rng)
    elif draw < 0.8 and request.endswith("?") and 40 < len(passage.first_sentences) < 400:
        asked = about(passage.text, request, rng)
        turns = (*system(rng), ("user", asked), ("assistant", passage.first_sentences))
        yield Conversation("answer", turns)


def _of_invention(rng: random.Random) -> Iterator[Conversation]:
    """Every task over one invention, since nothing else asks for a fact in so many ways."""
    one = invention(rng)
    yield from made.write_pairs(one.text, one.facts, rng)
    yield from made.answer_from(one.text, one.facts, rng)
    yield from made.answer_reworded(one.text, rng.choice(one.facts), rng)
    yield from made.answer_pronoun(one.text, one.facts, rng)
    yield made.told_before(one.text, one.facts, rng)
    yield made.refuse(one.text, rng.choice(one.unanswered), rng)
