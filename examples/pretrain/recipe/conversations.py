"""Conversations made from a passage, one function for each task that they teach.

The words of the prompts for writing pairs are those of `dlm synth`, so that the base knows them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

from dlm.loops.synth import generate
from dlm.text.words import normalise
from recipe.asking import REFUSALS, about, briefly, system, with_pronoun, wording
from recipe.chat_format import Conversation, Turn
from recipe.facts import Fact, by_sentence, evidence_of, writable_question
from recipe.passages import Passage


def write_pairs(passage: str, facts: Sequence[Fact], rng: random.Random) -> Iterator[Conversation]:
    """The passage, and pairs from as many different sentences as were asked for."""
    pairs = _pairs(facts, passage, rng.choice([1, 1, 1, 2, 2, 3, 4]), rng)
    if pairs:
        asked = generate.extraction(passage, len(pairs))
        yield _written("write pairs", asked, _pairs_text(pairs))


def write_next(
    passage: str, after: str, facts: Sequence[Fact], rng: random.Random
) -> Iterator[Conversation]:
    """The passage, and pairs from the facts of the text `after` it."""
    pairs = _pairs(facts, after, rng.choice([1, 1, 2]), rng)
    if pairs:
        yield _written("write next", generate.expansion(passage, len(pairs)), _pairs_text(pairs))


def write_request(text: str, request: str) -> Conversation:
    """A text, and the request that it answers."""
    return _written("write request", generate.backtranslation(text), request)


def answer_from(passage: str, facts: Sequence[Fact], rng: random.Random) -> Iterator[Conversation]:
    """One to three questions about a passage, one after the other; some want few words."""
    asked = rng.sample(list(facts), min(len(facts), rng.choice([1, 1, 2, 3])))
    brief = rng.random() < 0.45
    turns: list[Turn] = system(rng)
    for number, fact in enumerate(asked):
        question = wording(fact, rng)
        said = question if number else about(passage, question, rng)
        short = brief and len(fact.short) < 100
        turns.append(("user", briefly(said, rng) if short else said))
        turns.append(("assistant", fact.brief if short else fact.answer))
    if asked:
        yield Conversation("answer", tuple(turns))


def answer_reworded(passage: str, fact: Fact, rng: random.Random) -> Iterator[Conversation]:
    """The same question in other words, in one conversation and in several."""
    asked = rng.sample(fact.questions, len(fact.questions))
    turns: list[Turn] = [("user", about(passage, asked[0], rng)), ("assistant", fact.answer)]
    for question in asked[1:3]:
        turns += [("user", question), ("assistant", fact.answer)]
    yield Conversation("answer reworded", tuple(turns))
    for question in asked[3:]:
        turns = [("user", about(passage, question, rng)), ("assistant", fact.answer)]
        yield Conversation("answer reworded", tuple(turns))


def answer_pronoun(
    passage: str, facts: Sequence[Fact], rng: random.Random
) -> Iterator[Conversation]:
    """A question about a thing, then one that calls it "it"."""
    for first, second in pairwise(facts):
        if first.subject != second.subject or first.answer == second.answer:
            continue
        asked = [with_pronoun(question, second.subject) for question in second.questions]
        known = [question for question in asked if question]
        if known:
            turns: list[Turn] = [
                *system(rng),
                ("user", about(passage, rng.choice(first.questions), rng)),
                ("assistant", first.answer),
                ("user", rng.choice(known)),
                ("assistant", second.answer),
            ]
            yield Conversation("answer pronoun", tuple(turns))
            return


def refuse(passage: str, question: str, rng: random.Random) -> Conversation:
    """A question that the passage leaves open."""
    turns: list[Turn] = [*system(rng), ("user", about(passage, question, rng))]
    return Conversation("refuse", (*turns, ("assistant", rng.choice(REFUSALS))))


def leaves_open(passage: str, fact: Fact) -> bool:
    """Whether a passage surely says nothing of what the fact says."""
    said = normalise(passage)
    words = [word for word in normalise(fact.short).split() if len(word) > 3]
    shared = sum(word in said for word in words)
    return fact.answer not in passage and bool(words) and shared <= len(words) // 3


def recall(fact: Fact, rng: random.Random) -> Iterator[Conversation]:
    """The same fact asked without a passage, once for each of its wordings."""
    for question in fact.questions[:4]:
        turns: list[Turn] = [*system(rng), ("user", question), ("assistant", fact.answer)]
        yield Conversation("recall", tuple(turns))


def told_before(text: str, facts: Sequence[Fact], rng: random.Random) -> Conversation:
    """A text that the user tells, and questions about it in the turns that follow."""
    opening = rng.choice(["Remember this: ", "Please note: ", "Here are my notes.\n\n", ""])
    reply = rng.choice(["I will remember that.", "Noted.", "Thank you, I have read it."])
    turns: list[Turn] = [*system(rng), ("user", opening + text), ("assistant", reply)]
    for fact in rng.sample(list(facts), min(len(facts), rng.randint(1, 4))):
        brief = rng.random() < 0.35
        question = wording(fact, rng)
        turns.append(("user", briefly(question, rng) if brief else question))
        turns.append(("assistant", fact.brief if brief else fact.answer))
    return Conversation("told before", tuple(turns))


def copy(sentence: str, rng: random.Random) -> Conversation:
    form = rng.choice(
        ["Repeat this sentence: {}", "Copy this text exactly:\n\n{}", "Say this again: {}"]
    )
    return Conversation("copy", (("user", form.format(sentence)), ("assistant", sentence)))


def title_for(passage: Passage, rng: random.Random) -> Conversation:
    form = rng.choice(["Give a title for this text.", "What is a good title for this text?"])
    turns = (("user", f"{form}\n\n{passage.text}"), ("assistant", passage.heading))
    return Conversation("title", turns)


def answer_at_length(request: str, text: str, rng: random.Random) -> Conversation:
    """A request, and the text that answers it: the inverse of `write_request`."""
    turns = (*system(rng), ("user", request), ("assistant", text))
    return Conversation("answer at length", turns)


def _written(task: str, asked: str, target: str) -> Conversation:
    turns = (("system", generate.SYSTEM), ("user", asked), ("assistant", target))
    return Conversation(task, turns)


def _pairs(
    facts: Sequence[Fact], passage: str, most: int, rng: random.Random
) -> list[tuple[str, str]]:
    """At most so many pairs, each of another sentence and with another question, in text order."""
    groups, evidence = by_sentence(list(facts)), evidence_of(passage)
    chosen = sorted(rng.sample(range(len(groups)), min(len(groups), most)))
    found: dict[str, str] = {}
    for number in chosen:
        group = groups[number]
        fact = rng.choices(group, [one.weight**2 for one in group])[0]
        question = writable_question(fact, evidence, rng)
        if question:
            found[question] = fact.answer
    return list(found.items())


def _pairs_text(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n\n".join(f"### Q\n{question}\n### A\n{answer}" for question, answer in pairs)
