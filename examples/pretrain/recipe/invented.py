"""Short texts about things that do not exist, and many ways to ask for each of their properties.

What is asked here stands in the text and nowhere else, and is asked for in four or five wordings:
this is where a model learns that wording matters little, and that what is not said is not known.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from recipe.facts import Fact
from recipe.names import invented_name
from recipe.words import word_list

_NUMBERS: Final = word_list("two three four five six seven eight nine ten eleven twelve fifteen")
_KINDS: Final = (
    "bicycle lamp", "boat", "bread oven", "camera", "card game", "clock", "coffee grinder",
    "cooperative", "drill", "festival", "garden club", "heater", "herb tea", "kite", "library",
    "loom", "museum", "night train", "observatory", "paint", "pocket radio", "printer",
    "programming language", "pump", "rain gauge", "sewing machine", "sewing pattern", "ship",
    "small bakery", "soap", "spice", "telescope", "tool for cutting glass", "walking path",
    "water filter", "weather station", "wooden puzzle",
)  # fmt: skip
_COLOURS: Final = word_list(
    "amber black blue bronze copper green grey orange red silver violet white"
)
_STUFF: Final = (
    "birch wood", "brass", "clay", "cork", "felt", "glass fibre", "linen", "oak", "old sails",
    "recycled fishing nets", "slate", "steel", "tin", "wool",
)  # fmt: skip
_PLACES: Final = ("town", "village", "valley", "harbour", "city", "district")


@dataclass(frozen=True, slots=True)
class _Property:
    """How a property is said and asked; {x} is the thing, {v} the value."""

    name: str
    said: tuple[str, ...]
    asked: tuple[str, ...]
    value: Callable[[random.Random], str]


def _amount(*units: str) -> Callable[[random.Random], str]:
    def draw(rng: random.Random) -> str:
        number = str(rng.randint(2, 900)) if rng.random() < 0.6 else rng.choice(_NUMBERS)
        return f"{number} {rng.choice(units)}"

    return draw


def _place(rng: random.Random) -> str:
    return f"the {rng.choice(_PLACES)} of {invented_name(rng)}"


def _person(rng: random.Random) -> str:
    title = rng.choice(["", "", "", "Dr. ", "Mrs. ", "Professor "])
    return f"{title}{invented_name(rng)} {invented_name(rng)}"


_PROPERTIES: Final = (
    _Property(
        "weight",
        ("{x} weighs {v}.", "The weight of {x} is {v}."),
        ("How much does {x} weigh?", "What is the weight of {x}?", "How heavy is {x}?",
         "What does {x} weigh?"),
        _amount("grams", "kilograms", "tons"),
    ),
    _Property(
        "price",
        ("{x} costs {v}.", "The price of {x} is {v}."),
        ("How much does {x} cost?", "What is the price of {x}?", "What do you pay for {x}?",
         "What does {x} cost?"),
        _amount("crowns", "pounds", "euros", "dollars a year", "marks a month"),
    ),
    _Property(
        "maker",
        ("{x} was designed by {v}.", "{v} designed {x}."),
        ("Who designed {x}?", "By whom was {x} designed?", "Which person designed {x}?",
         "What is the name of the designer of {x}?"),
        _person,
    ),
    _Property(
        "keeper",
        ("{v} looks after {x}.", "{x} is looked after by {v}."),
        ("Who looks after {x}?", "Who takes care of {x}?", "By whom is {x} looked after?",
         "Which person is in charge of {x}?"),
        _person,
    ),
    _Property(
        "place",
        ("{x} is made in {v}.", "{x} comes from {v}."),
        ("Where is {x} made?", "Where does {x} come from?", "In what place is {x} produced?",
         "What is the origin of {x}?"),
        _place,
    ),
    _Property(
        "storage",
        ("{x} is kept in {v}.", "You find {x} in {v}."),
        ("Where is {x} kept?", "Where can you find {x}?", "In what place is {x} kept?",
         "Where do I look for {x}?"),
        _place,
    ),
    _Property(
        "year",
        ("{x} was first shown in {v}.", "In {v}, {x} was shown for the first time."),
        ("When was {x} first shown?", "In what year was {x} first shown?",
         "Since what year has {x} been shown?", "What year did {x} first appear?"),
        lambda rng: str(rng.randint(1500, 2090)),
    ),
    _Property(
        "colour",
        ("{x} is {v}.", "The colour of {x} is {v}."),
        ("What colour is {x}?", "What is the colour of {x}?", "In what colour does {x} come?",
         "Which colour does {x} have?"),
        lambda rng: rng.choice(_COLOURS),
    ),
    _Property(
        "stuff",
        ("{x} is made of {v}.", "{x} consists of {v}."),
        ("What is {x} made of?", "What material is {x} made of?", "Of what is {x} built?",
         "What does {x} consist of?"),
        lambda rng: rng.choice(_STUFF),
    ),
    _Property(
        "duration",
        ("{x} runs for {v} without a pause.", "{x} lasts for {v}."),
        ("How long does {x} last?", "For how long does {x} run?", "How much time does {x} run for?",
         "What is the running time of {x}?"),
        _amount("minutes", "hours", "days", "weeks", "months"),
    ),
    _Property(
        "rhythm",
        ("{x} has to be cleaned every {v}.", "You clean {x} every {v}."),
        ("How often does {x} have to be cleaned?", "How often do you clean {x}?",
         "After how much time is {x} cleaned again?", "When does {x} need cleaning?"),
        _amount("days", "weeks", "months"),
    ),
    _Property(
        "nickname",
        ("{x} is also called {v}.", "People call {x} {v}."),
        ("What is {x} also called?", "What do people call {x}?", "What is another name for {x}?",
         "By what other name is {x} known?"),
        invented_name,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Invention:
    """A text of a few sentences, the facts in it, and questions that it leaves open."""

    text: str
    facts: tuple[Fact, ...]
    unanswered: tuple[str, ...]


def invention(rng: random.Random) -> Invention:
    """A thing that does not exist, with three to seven properties."""
    kind = rng.choice(_KINDS)
    x = f"the {invented_name(rng)}" if rng.random() < 0.5 else f"the {kind} {invented_name(rng)}"
    drawn = rng.sample(_PROPERTIES, rng.randint(3, 7) + 3)
    told, open_ = drawn[:-3], drawn[-3:]
    article = "an" if kind[0] in "aeiou" else "a"
    facts = [_kind_fact(x, f"{article} {kind}")] if kind not in x else []
    facts += [_fact(one, x, rng) for one in told]
    text = _told([fact.answer for fact in facts], x, rng)
    unanswered = tuple(rng.choice(one.asked).format(x=x) for one in open_)
    return Invention(text, tuple(facts), unanswered)


def _kind_fact(x: str, kind: str) -> Fact:
    asked = (f"What is {x}?", f"What kind of thing is {x}?", f"How would you describe {x}?")
    return Fact(f"{x[0].upper()}{x[1:]} is {kind}.", kind, asked, x, 1.0, "kind")


def _fact(one: _Property, x: str, rng: random.Random) -> Fact:
    value = one.value(rng)
    answer = rng.choice(one.said).format(x=x, v=value)
    answer = answer[0].upper() + answer[1:]
    asked = [form.format(x=x) for form in one.asked]
    return Fact(answer, value, tuple(rng.sample(asked, len(asked))), x, 1.0, one.name)


def _told(answers: list[str], x: str, rng: random.Random) -> str:
    """The sentences as a text: now and then "it", where the sentence before names the thing."""
    name = x[0].upper() + x[1:]
    text, named = answers[0], True
    for answer in answers[1:]:
        ends = rng.random() < 0.12
        named = not (named and not ends and answer.startswith(name + " ") and rng.random() < 0.5)
        said = answer if named else "It" + answer[len(name) :]
        text += ("\n\n" if ends else " ") + said
    return text
