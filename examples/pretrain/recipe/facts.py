"""Facts in plain sentences, each with several questions that it answers: found by rule.

A fact is one sentence; its questions ask for the same thing in other words. Rules are in `rules`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dlm.loops.synth.filters import malformed
from dlm.loops.synth.grounding import support
from dlm.loops.synth.passages import Evidence
from dlm.text.sentences import sentences
from recipe.english import Lexicon, stands_alone, tidy


@dataclass(frozen=True, slots=True)
class Fact:
    """`answer` is a sentence of its own, `short` the part of it that the questions ask for.

    `subject` is what the questions are about, as written inside a sentence, or "". `weight` tells
    how often a pair made by the rule makes sense, 0..1.
    """

    answer: str
    short: str
    questions: tuple[str, ...]
    subject: str
    weight: float
    rule: str

    @property
    def question(self) -> str:
        """The plainest of the questions."""
        return self.questions[0]

    @property
    def brief(self) -> str:
        """The short answer as a reply of its own."""
        return self.short[:1].upper() + self.short[1:] + "."


def facts_of(text: str, lexicon: Lexicon) -> list[Fact]:
    """The facts of a passage in its order, several of one sentence where it says several.

    Only those whose plainest question the filters of `dlm synth` would keep.
    """
    from recipe.rules import facts_in

    found: list[Fact] = []
    for sentence in _resolved(text):
        if stands_alone(sentence):
            evidence = evidence_of(sentence)
            seen = facts_in(sentence, lexicon)
            found += [one for one in seen if _kept(one.question, sentence, evidence)]
    return found


def evidence_of(passage: str) -> Evidence:
    """A passage made ready to be asked; its first word may be a name, which nothing else shows."""
    return Evidence.of(passage, passage.split()[:1])


def writable_question(fact: Fact, evidence: Evidence, rng: random.Random) -> str | None:
    """A question that a model should write from a passage: one that `dlm synth` would keep."""
    for question in rng.sample(fact.questions, len(fact.questions)):
        if _kept(question, fact.answer, evidence):
            return question
    return None


def by_sentence(facts: list[Fact]) -> list[list[Fact]]:
    """Facts of the same sentence together."""
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.answer, []).append(fact)
    return list(groups.values())


def _kept(question: str, answer: str, evidence: Evidence) -> bool:
    return malformed(question, answer) is None and support(evidence, question, answer).holds


def _resolved(text: str) -> Iterator[str]:
    """Sentences without their opening words; an "It" at the head is named by the one before."""
    subject, paragraph = "", -1
    for one in sentences(text):
        sentence = tidy(one.text)
        if one.paragraph != paragraph:
            subject, paragraph = "", one.paragraph
        if subject and re.match(r"It (?:is|was|has|can|[a-z]+s)\b", sentence):
            yield subject + sentence[2:]
            continue
        yield sentence
        subject = _single_subject(sentence)


def _single_subject(sentence: str) -> str:
    """What an "It" in the next sentence most likely stands for, or nothing when unsure."""
    found = re.match(
        r"((?:The |A |An )?(?:[\w'-]+ ){0,3}[\w'-]+) (?:is|was) (?:an?|the|used|made)\b", sentence
    )
    if not found or re.match(r"(?:It|There|This|That|He|She|What|One)\b", sentence):
        return ""
    return re.sub(r"^An? ", "The ", found[1])
