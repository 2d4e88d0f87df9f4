"""Notes of invented things, made by rule: one fact a sentence, asked in other words than told.

People's questions on stories and encyclopaedias are seldom about weights, opening hours or who has
the key, and notes are full of those. Names and values are drawn, so there is nothing to remember.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from lessons import DECLINED, EXTRACT, READ, WRITE, Pack, notes, reworded

Value = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Relation:
    """How a fact is told and asked; `{e}` is the thing, `{v}` what is told of it."""

    told: tuple[str, ...]
    asked: tuple[str, ...]
    value: Value


def _number(low: int, high: int, *units: str) -> Value:
    words = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]

    def draw(rng: random.Random) -> str:
        n = rng.randint(low, high)
        said = words[n] if n < len(words) and rng.random() < 0.5 else f"{n:,}"
        return f"{said} {rng.choice(units)}"

    return draw


def _of(*choices: str) -> Value:
    return lambda rng: rng.choice(choices)


_SYLLABLES = [
    "bra",
    "cor",
    "dun",
    "el",
    "fen",
    "gar",
    "hol",
    "is",
    "ka",
    "lor",
    "mar",
    "nes",
    "o",
    "per",
    "quin",
    "ros",
    "sel",
    "tam",
    "ul",
    "ver",
    "wick",
    "yar",
]
_ENDS = [
    "by",
    "ton",
    "ley",
    "mere",
    "ford",
    "ow",
    "in",
    "a",
    "er",
    "wick",
    "stone",
    "ing",
    "dale",
    "et",
    "is",
    "on",
]


def name(rng: random.Random) -> str:
    return (rng.choice(_SYLLABLES) + rng.choice([*_SYLLABLES, ""]) + rng.choice(_ENDS)).capitalize()


def _person(rng: random.Random) -> str:
    first = rng.choice(
        [
            "Ada",
            "Ben",
            "Clara",
            "Dov",
            "Edith",
            "Felix",
            "Greta",
            "Hugo",
            "Ines",
            "Jonas",
            "Kezia",
            "Lars",
            "Mona",
            "Nils",
            "Olive",
            "Petra",
            "Rufus",
            "Sanna",
            "Tom",
            "Una",
            "Viktor",
            "Wanda",
        ]
    )
    return first if rng.random() < 0.3 else f"{first} {name(rng)}"


def _place(rng: random.Random) -> str:
    return rng.choice(
        (
            "in {n}",
            "in the cellar of {n} House",
            "behind the {n} mill",
            "on {n} Street",
            "in the red cupboard",
            "under the bench by the door",
            "on the second shelf of the store room",
            "next to the boiler",
            "in the drawer of the desk",
            "on a hook beside the window",
        )
    ).replace("{n}", name(rng))


def _day(rng: random.Random) -> str:
    return rng.choice(
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    )


def _hour(rng: random.Random) -> str:
    return rng.choice(
        (
            f"{rng.randint(6, 11)} in the morning",
            f"half past {rng.choice(['six', 'seven', 'eight', 'nine'])}",
            f"{rng.randint(13, 21)}:{rng.choice(('00', '15', '30', '45'))}",
        )
    )


def _year(rng: random.Random) -> str:
    return str(rng.randint(1790, 2024))


_COLOURS = _of("red", "dark green", "pale blue", "yellow", "grey", "white", "black", "orange")
_PARTS = _of(
    "a bent spring",
    "a blocked filter",
    "a loose belt",
    "a flat battery",
    "an open lid",
    "a worn seal",
    "damp in the sensor",
)
_STUFF = _of(
    "brass",
    "oak",
    "cast iron",
    "birch plywood",
    "stainless steel",
    "glass",
    "grey slate",
    "wool felt",
)
_LIQUID = _of(
    "linseed oil", "warm water and soap", "white vinegar", "a dry cloth", "paraffin", "fine sand"
)

RELATIONS: tuple[Relation, ...] = (
    Relation(
        ("{e} weighs {v}.", "The weight of {e} is {v}."),
        (
            "How heavy is {e}?",
            "What does {e} weigh?",
            "What is the weight of {e}?",
            "How many kilos is {e}?",
        ),
        _number(2, 90, "kilograms", "kilos"),
    ),
    Relation(
        ("{e} costs {v}.", "The price of {e} is {v}.", "You pay {v} for {e}."),
        (
            "How much is {e}?",
            "What does {e} cost?",
            "What do I have to pay for {e}?",
            "What is the price of {e}?",
        ),
        _number(3, 900, "pounds", "euros", "crowns"),
    ),
    Relation(
        ("{e} is {v} long.", "{e} has a length of {v}."),
        ("How long is {e}?", "What is the length of {e}?", "What length does {e} have?"),
        _number(2, 400, "metres", "centimetres", "feet"),
    ),
    Relation(
        ("{e} is {v} high.", "{e} stands {v} tall."),
        ("How tall is {e}?", "What is the height of {e}?", "How high is {e}?"),
        _number(2, 200, "metres", "centimetres", "feet"),
    ),
    Relation(
        ("{e} holds {v}.", "{v} fit into {e}.", "There is room for {v} in {e}."),
        (
            "How much goes into {e}?",
            "What is the capacity of {e}?",
            "How many can {e} take?",
            "How much does {e} hold?",
        ),
        _number(2, 80, "litres", "boxes", "jars", "people", "trays"),
    ),
    Relation(
        ("{e} opens at {v}.", "{e} is open from {v}."),
        ("When does {e} open?", "From what time is {e} open?", "At what hour can I go to {e}?"),
        _hour,
    ),
    Relation(
        ("{e} closes at {v}.", "{e} shuts at {v}."),
        ("When does {e} close?", "Until when is {e} open?", "At what time does {e} shut?"),
        _hour,
    ),
    Relation(
        ("{e} is closed on {v}.", "On {v} {e} stays shut."),
        (
            "On which day is {e} closed?",
            "Which day can I not visit {e}?",
            "When in the week is {e} shut?",
        ),
        _day,
    ),
    Relation(
        ("{e} was built by {v}.", "{v} built {e}.", "It was {v} who made {e}."),
        ("Who built {e}?", "Who is the maker of {e}?", "By whom was {e} made?", "Who made {e}?"),
        _person,
    ),
    Relation(
        ("{e} was built in {v}.", "{e} dates from {v}.", "{e} was made in {v}."),
        (
            "When was {e} built?",
            "In which year was {e} made?",
            "How old is {e}?",
            "From what year is {e}?",
        ),
        _year,
    ),
    Relation(
        ("{v} looks after {e}.", "{e} is in the care of {v}.", "{v} is responsible for {e}."),
        (
            "Who takes care of {e}?",
            "Who is in charge of {e}?",
            "Whom do I ask about {e}?",
            "Who looks after {e}?",
        ),
        _person,
    ),
    Relation(
        ("{e} belongs to {v}.", "{v} owns {e}.", "{e} is the property of {v}."),
        ("Who owns {e}?", "Whose is {e}?", "To whom does {e} belong?"),
        _person,
    ),
    Relation(
        ("{e} is kept {v}.", "{e} is {v}.", "You find {e} {v}."),
        (
            "Where is {e}?",
            "Where do I find {e}?",
            "Where is {e} stored?",
            "In what place is {e} kept?",
        ),
        _place,
    ),
    Relation(
        ("The key to {e} hangs {v}.", "The key of {e} lies {v}."),
        (
            "Where is the key to {e}?",
            "Where do I get the key for {e}?",
            "What is the place of the key to {e}?",
        ),
        _place,
    ),
    Relation(
        ("{e} is made of {v}.", "{v} is what {e} is made from."),
        ("What is {e} made of?", "What material is {e}?", "Which material was used for {e}?"),
        _STUFF,
    ),
    Relation(
        ("{e} is painted {v}.", "{e} is {v}.", "The colour of {e} is {v}."),
        ("What colour is {e}?", "How is {e} painted?", "Which colour does {e} have?"),
        _COLOURS,
    ),
    Relation(
        ("Clean {e} with {v}.", "{e} is cleaned with {v}."),
        ("How do I clean {e}?", "What is used to clean {e}?", "With what do you wash {e}?"),
        _LIQUID,
    ),
    Relation(
        ("{e} has to be checked every {v}.", "Inspect {e} once in {v}."),
        (
            "How often is {e} checked?",
            "How often must {e} be inspected?",
            "What is the interval for checking {e}?",
        ),
        _number(2, 12, "weeks", "months", "days"),
    ),
    Relation(
        ("{e} takes {v} to warm up.", "After {v} {e} is warm."),
        (
            "How long does {e} need to warm up?",
            "When is {e} warm?",
            "How long do I wait until {e} is warm?",
        ),
        _number(2, 50, "minutes", "seconds"),
    ),
    Relation(
        ("{e} runs at {v}.", "The speed of {e} is {v}."),
        ("How fast is {e}?", "At what speed does {e} run?", "What speed does {e} have?"),
        _number(10, 900, "turns a minute", "kilometres an hour", "pages an hour"),
    ),
    Relation(
        ("{e} works down to {v}.", "Below {v} {e} does not start."),
        (
            "How cold may it be for {e}?",
            "What is the lowest temperature for {e}?",
            "From what temperature on does {e} work?",
        ),
        _number(1, 25, "degrees"),
    ),
    Relation(
        ("{e} comes with a guarantee of {v}.", "The guarantee for {e} lasts {v}."),
        (
            "How long is {e} under guarantee?",
            "How long is the warranty on {e}?",
            "For how long is {e} guaranteed?",
        ),
        _number(2, 60, "months", "years"),
    ),
    Relation(
        ("A red light on {e} means {v}.", "If {e} blinks red, it has {v}."),
        (
            "What does the red light on {e} mean?",
            "Why does {e} blink red?",
            "What is wrong when {e} shows a red light?",
        ),
        _PARTS,
    ),
    Relation(
        ("{e} was named after {v}.", "{e} has its name from {v}."),
        ("After whom is {e} named?", "Where does {e} get its name?", "Who gave {e} its name?"),
        _person,
    ),
    Relation(
        ("{e} uses {v} of oil a day.", "Each day {e} burns {v} of oil."),
        (
            "How much oil does {e} use?",
            "What is the daily oil consumption of {e}?",
            "How much oil goes through {e} in a day?",
        ),
        _number(2, 60, "litres", "cups"),
    ),
    Relation(
        ("{e} was repaired by {v} last spring.", "Last spring {v} mended {e}."),
        ("Who repaired {e}?", "Who fixed {e} last spring?", "By whom was {e} mended?"),
        _person,
    ),
    Relation(
        ("{e} may be lent for {v}.", "You can borrow {e} for {v}."),
        (
            "How long can I borrow {e}?",
            "For what time may {e} be lent?",
            "What is the loan period of {e}?",
        ),
        _number(2, 30, "days", "weeks", "hours"),
    ),
    Relation(
        ("{e} needs {v} of water every week.", "Give {e} {v} of water a week."),
        (
            "How much water does {e} need?",
            "How much do I water {e}?",
            "What amount of water goes to {e}?",
        ),
        _number(2, 40, "litres", "cans", "cups"),
    ),
    Relation(
        ("{e} reports to {v}.", "Problems with {e} are told to {v}."),
        (
            "Who is told when {e} has a problem?",
            "Whom do I tell about trouble with {e}?",
            "To whom are problems with {e} reported?",
        ),
        _person,
    ),
    Relation(
        ("{e} returns the value as {v}.", "What {e} gives back is {v}."),
        ("What does {e} return?", "What is the result of {e}?", "Which type does {e} give back?"),
        _of(
            "a list of strings",
            "a whole number",
            "a table of names",
            "true or false",
            "a byte string",
            "nothing at all",
        ),
    ),
    Relation(
        ("{e} reads its settings from {v}.", "The settings of {e} stand in {v}."),
        (
            "Where are the settings of {e}?",
            "Which file configures {e}?",
            "From where does {e} take its settings?",
        ),
        _of(
            "the file .env",
            "config/main.toml",
            "settings.ini in the home folder",
            "the table options",
            "a file beside the program",
        ),
    ),
    Relation(
        ("{e} listens on port {v}.", "The port of {e} is {v}."),
        (
            "Which port does {e} use?",
            "On what port is {e} reached?",
            "What is the port number of {e}?",
        ),
        lambda rng: str(rng.randint(1024, 9999)),
    ),
)

_THINGS = (
    "pump",
    "boat",
    "press",
    "oven",
    "clock",
    "library",
    "shed",
    "lamp",
    "loom",
    "bridge",
    "printer",
    "bakery",
    "drill",
    "ferry",
    "kiln",
    "greenhouse",
    "archive",
    "server",
    "parser",
    "scale",
    "tractor",
    "pool",
    "chapel",
    "cabinet",
    "dryer",
    "saw",
    "museum",
    "office",
    "mill",
    "tower",
    "bus",
    "camera",
    "piano",
    "stove",
    "well",
)


def _thing(rng: random.Random) -> str:
    kind = rng.choice(_THINGS)
    return rng.choice(
        (
            f"the {kind}",
            f"the {name(rng)} {kind}",
            f"the {name(rng)}",
            f"the old {kind}",
            f"the {kind} of {name(rng)}",
            f"the second {kind}",
            f"{name(rng)}",
        )
    )


def fact_packs(count: int, rng: random.Random) -> list[Pack]:
    """Notes on a few things and all that can be asked of them; one in eight is to be written."""
    return [_writing(rng) if rng.random() < 0.12 else _reading(rng) for _ in range(count)]


def _told(thing: str, relation: Relation, rng: random.Random) -> tuple[str, str]:
    value = relation.value(rng)
    text = rng.choice(relation.told).replace("{v}", value).replace("{e}", thing)
    return text[0].upper() + text[1:], value


def _question(thing: str, relation: Relation, rng: random.Random) -> str:
    text = rng.choice(relation.asked).replace("{e}", thing)
    return text if rng.random() < 0.9 else reworded(text, rng)


def _reading(rng: random.Random) -> Pack:
    things = list(dict.fromkeys(_thing(rng) for _ in range(rng.choice((2, 3, 3)))))
    shared = rng.sample(RELATIONS, 2)
    shown, branches, absent = [], [], []
    for thing in things:
        chosen = list(dict.fromkeys([*rng.sample(RELATIONS, 3), *shared[: rng.randrange(3)]]))
        facts = []
        for relation in chosen:
            text, _ = _told(thing, relation, rng)
            if rng.random() < 0.3:
                asked = rng.choice(relation.asked).replace("{e}", thing)
                shown.append(f"Q: {asked}\nA: {text}")
            else:
                facts.append(text)
            branches.append((_question(thing, relation, rng), text))
        if facts:
            shown.append(" ".join(facts))
        absent += [(thing, relation) for relation in RELATIONS if relation not in chosen]
    rng.shuffle(shown)
    rng.shuffle(branches)
    branches = branches[:7]
    thing, relation = rng.choice(absent)
    if rng.random() < 0.5:
        branches.append((_question(thing, relation, rng), DECLINED))
    if rng.random() < 0.2:
        branches.append((_question(_thing(rng), rng.choice(RELATIONS), rng), DECLINED))
    rng.shuffle(branches)
    return Pack(READ, notes(shown), tuple(branches))


def _writing(rng: random.Random) -> Pack:
    thing = _thing(rng)
    chosen = rng.sample(RELATIONS, rng.choice((2, 3, 4)))
    told = [_told(thing, relation, rng)[0] for relation in chosen]
    count = rng.randint(1, min(3, len(told)))
    picked = sorted(rng.sample(range(len(told)), count))
    pairs = "\n\n".join(
        f"### Q\n{rng.choice(chosen[at].asked).replace('{e}', thing)}\n\n### A\n{told[at]}"
        for at in picked
    )
    user = EXTRACT.replace("{n}", str(count)).replace("{text}", " ".join(told))
    return Pack(WRITE, "", ((user, pairs),))
