"""A large document of varied text: `uv run python benchmarks/scale_document.py 1000 > large.dlm`.

For each pair there are some thousand characters of prose about the same place. Names are made of
syllables, so that the vocabulary grows with the document; which sentences a section has, in which
order and with which words, is drawn. One pair in fifty is sealed as exam.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
_EXAM_EVERY = 50
_REPEATED = 0.4  # exponent of how often names are; the vocabulary grows with the root of the text
_CHARACTERS = 750  # and the rest of a paragraph, which makes a thousand

_listed = str.split  # as a name, since lists of words read better as a text

_SOUNDS = ("b br c d dr f g gr h k l m n p pr r s st t th tr v w y z", "a e i o u ai ea ou")
_ENDS = "n r l m th sk rd lt x nd ck ss by ton ford wick mere gate holm"
_THINGS = _listed(
    "mill weir kiln ferry orchard foundry granary lighthouse bakery tannery chapel quarry sluice "
    "brewery ropewalk smithy boathouse windpump schoolroom dovecote signal-box icehouse",
)
_PARTS = _listed(
    "roof gear axle ledger bell shaft chimney gate wheel winch lantern floor cellar hoist mooring "
    "boiler hinge rail gauge pump belt trough stair loft",
)
_VERBS = _listed(
    "repaired painted measured rebuilt inspected moved sold raised covered oiled counted cleaned "
    "replaced closed lent opened marked drained",
)
_QUALITIES = _listed(
    "narrow damp pale heavy crooked quiet brittle steep mossy hollow bright rusty shallow loud "
    "patient stubborn warm uneven slender faded",
)
_STUFF = _listed(
    "oak slate iron brass tar clay lime wool hemp copper ash granite glass rye flax salt"
)
_TIMES = _listed(
    "in the spring|after the flood|before the war|every second winter|at the end of the harvest|"
    "on the first Monday of May|when the river froze|during the long drought|by lamplight|"
    "the year the bridge fell|on market days|soon after midnight",
    "|",
)
_SENTENCES = (
    "The {part} of {name} was {verb} {time} by {person}, who used {stuff} because it was at hand.",
    "{person} wrote that the {quality} {part} had cost {number} crowns, and nobody doubted it.",
    "It stands {number} paces from the {thing}, between a {quality} wall and a heap of {stuff}.",
    "Visitors ask about the {part}; what they should ask about is the {quality} {part2} behind it.",
    "{time_}, {person} and {person2} carried {number} sacks of {stuff} down to the {thing2}.",
    "Nothing in {name} is as {quality} as its {part}, unless one counts {stuff} in the {part2}.",
    "A {part} of {stuff} lasts about {number} years here, a {quality} one somewhat less.",
    "Those who {verb2} it {time} found {number} marks on the {part2}, cut by {person2}.",
    "The rule is simple: whoever leaves the {thing} last sees to the {part} and the {part2}.",
    "According to {person2}, the {thing2} at {name} was {verb} twice and {verb2} once.",
    "Its {part2} is {quality}; its {part} was never {verb}, although {person} asked for it {time}.",
    "They keep {stuff} in the {part}, {stuff2} in the {part2}, and the keys with {person}.",
)
_QUESTIONS = (
    ("When was the {part} of {name} {verb}?", "It was {verb} {time}, by {person} and {person2}."),
    ("Who {verb} the {part} at {name}?", "{person} {verb} it {time}."),
    (
        "What is the {part} of {name} made of?",
        "Of {stuff} and {stuff2}, which {person} brought from {person2}.",
    ),
    (
        "How far is {name} from the {thing2}?",
        "It is {number} paces from there, as {person} counted.",
    ),
    ("Which {part} does {person} look after?", "{person} looks after the {quality} one at {name}."),
    ("Why is the {part} of {name} {quality}?", "Because {person} {verb} it with {stuff}."),
    (
        "Where does {name} keep its {stuff}?",
        "In the {part2} beside the {thing2}, where {person} put it.",
    ),
    (
        "How many sacks of {stuff} fit into {name}?",
        "{number} sacks fit, {person} says, if the {part2} is empty.",
    ),
)


def main() -> None:
    sys.stdout.write(text(int(sys.argv[1])))


def text(pairs: int, *, seed: int = 3) -> str:
    """A document of so many pairs, the same for the same seed."""
    rng = random.Random(seed)
    return HEAD + "".join(_chapter(number, rng) for number in range(pairs))


def new_pairs(count: int, *, seed: int = 12) -> Iterator[tuple[str, str]]:
    """Questions and answers such as a teacher would write for the document."""
    rng = random.Random(seed)
    for _ in range(count):
        words = _words(rng)
        question, answer = rng.choice(_QUESTIONS)
        yield question.format(**words), answer.format(**words)


def _chapter(number: int, rng: random.Random) -> str:
    words = _words(rng)
    heading = f"\n## {words['name']}, the {words['thing']}\n\n" if number % 3 == 0 else "\n"
    question, answer = (part.format(**words) for part in rng.choice(_QUESTIONS))
    mark = " !exam" if number % _EXAM_EVERY == _EXAM_EVERY - 1 else ""
    return (
        f"{heading}{_prose(words, rng)}\n\n"
        f"::instruction::\n### Q{mark}\n{question}\n### A\n{answer}\n::\n"
    )


def _prose(words: dict[str, str], rng: random.Random) -> str:
    """Paragraphs of two to five sentences."""
    paragraphs: list[str] = []
    size = 0
    while size < _CHARACTERS:
        said = []
        for sentence in rng.sample(_SENTENCES, rng.randint(2, 5)):
            own = {**_words(rng), "name": words["name"]}
            said.append(sentence.format(**own))
        paragraphs.append(" ".join(one[0].upper() + one[1:] for one in said))
        size += len(paragraphs[-1])
    return "\n\n".join(paragraphs)


def _words(rng: random.Random) -> dict[str, str]:
    part, part2 = rng.sample(_PARTS, 2)
    stuff, stuff2 = rng.sample(_STUFF, 2)
    thing, thing2 = rng.sample(_THINGS, 2)
    verb, verb2 = rng.sample(_VERBS, 2)
    time = rng.choice(_TIMES)
    return {
        **{"part": part, "part2": part2, "stuff": stuff, "stuff2": stuff2},
        **{"thing": thing, "thing2": thing2, "verb": verb, "verb2": verb2},
        **{"time": time, "time_": time[0].upper() + time[1:], "quality": rng.choice(_QUALITIES)},
        **{"number": str(rng.randint(3, 990)), "name": _name(rng)},
        **{"person": _person(rng), "person2": _person(rng)},
    }


def _person(rng: random.Random) -> str:
    """Two names, a few of which are met again and again, most of them seldom."""
    seeds = (int(rng.paretovariate(_REPEATED) * 50) for _ in range(2))
    return " ".join(_name(random.Random(seed)) for seed in seeds)


def _name(rng: random.Random) -> str:
    consonants, vowels = (sounds.split() for sounds in _SOUNDS)
    syllables = "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(2))
    return (syllables + rng.choice(_ENDS.split())).capitalize()


if __name__ == "__main__":
    main()
