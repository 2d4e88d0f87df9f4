"""The rules that turn one sentence into questions: a pattern, and three or four ways to ask.

Every rule asks for something in particular. Questions that any sentence answers ("what is true of
…") are not among them: a model that learns those writes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from recipe.english import (
    IMPERATIVES,
    MONTH,
    NUMBER,
    THIRD_PERSON,
    YEAR,
    Lexicon,
    is_person,
    is_subject,
)
from recipe.facts import Fact
from recipe.words import word_set

_BE: Final = "is|are|was|were"
_AUXILIARY: Final = f"{_BE}|can|could|will|would|should|must|may|might|has|have|had"
_NO_DEFINITION: Final = re.compile(
    r"(?:a|the) (?:best|bit|case|few|first|good|great|last|little|long|lot|main|matter|more|most|"
    r"must|only|reason|result|same|second)\b"
)

# ways to ask, the short answer, the subject, the weight
Found = Iterator[tuple[Sequence[str], str, str, float]]
_Rule = Callable[[str, Lexicon], Found]


def facts_in(sentence: str, lexicon: Lexicon) -> list[Fact]:
    """The facts that the rules see in a sentence that stands alone."""
    found: list[Fact] = []
    for rule in _RULES:
        for questions, short, subject, weight in rule(sentence[:-1], lexicon):
            asked = tuple(dict.fromkeys(_asked(question) for question in questions))
            if all(12 <= len(question) <= 150 for question in asked) and len(short) >= 2:
                name = rule.__name__.strip("_")
                found.append(Fact(sentence, short.strip(" ,"), asked, subject, weight, name))
    return found


def _asked(question: str) -> str:
    text = re.sub(r"\s+", " ", question).strip()
    return text[:1].upper() + text[1:]


def _definition(body: str, lexicon: Lexicon) -> Found:
    """X is a Y."""
    match = re.match(rf"(.{{2,60}}?) ({_BE}) ((?:an?|the|one of) .{{8,}})$", body)
    if not match or not is_subject(match[1]) or _NO_DEFINITION.match(match[3]):
        return
    x, be = lexicon.inside(match[1]), match[2]
    if is_person(match[1]):
        asked = [f"Who {be} {x}?", f"Can you tell me who {x} {be}?", f"Do you know who {x} {be}?"]
    else:
        asked = [
            f"What {be} {x}?",
            f"How would you describe {x}?",
            f"Can you explain what {x} {be}?",
            f"What exactly {be} {x}?",
        ]
    yield asked, match[3], x, 1.0


def _meaning(body: str, lexicon: Lexicon) -> Found:
    """X means Y; X refers to Y; X is defined as Y."""
    match = re.match(r"(.{2,60}?) (means|refers to|is defined as|is the term for) (.{5,})$", body)
    if match and is_subject(match[1]):
        x = lexicon.inside(match[1])
        yield (
            [
                f"What does {x} mean?",
                f"What is meant by {x}?",
                f"What does {x} refer to?",
                f"How is {x} defined?",
            ],
            match[3],
            x,
            1.0,
        )


def _name(body: str, lexicon: Lexicon) -> Found:
    """X is called Y."""
    match = re.match(
        rf"(.{{2,60}}?) ({_BE}) (?:also )?(?:called|known as|named) (.{{2,60}})$", body
    )
    if match and is_subject(match[1]) and "," not in match[3]:
        x, be = lexicon.inside(match[1]), match[2]
        yield (
            [
                f"What {be} {x} called?",
                f"By what name {be} {x} known?",
                f"What name {be} given to {x}?",
            ],
            match[3],
            x,
            0.9,
        )


def _purpose(body: str, lexicon: Lexicon) -> Found:
    """X is used to Y; X is used for Y."""
    match = re.match(rf"(.{{2,60}}?) ({_BE}|can be) (?:\w+ly )?used (to|for) (.{{5,}})$", body)
    if not match or not is_subject(match[1]):
        return
    x, be = lexicon.inside(match[1]), match[2]
    asked = [f"What is the purpose of {x}?", f"For what purpose is {x} used?"]
    if be == "can be":
        asked = [f"What can {x} be used for?", f"What can you use {x} for?", asked[0]]
    else:
        asked = [f"What {be} {x} used for?", asked[0].replace(" is ", f" {be} ", 1)]
        asked.append(f"For what purpose {be} {x} used?")
    yield asked, f"{match[3]} {match[4]}", x, 1.0


def _how_to(body: str, lexicon: Lexicon) -> Found:
    """To do X, do Y; you can do Y to do X."""
    match = re.match(r"To ([a-z]+ [^,]{4,90}), ((?:you |[a-z]).{8,})$", body)
    if match:
        task, way = match[1], match[2]
        told = way.startswith("you ") or way.split()[0].lower() in IMPERATIVES
    else:
        match = re.match(
            r"You (?:can|should|must|may|need to) (.{8,110}?) (?:in order )?"
            r"to ([a-z]+ [^,]{4,80})$",
            body,
        )
        if not match:
            return
        way, task, told = match[1], match[2], match[1].split()[0] in IMPERATIVES
    if told and task.split()[0] not in ("a", "be", "date", "an", "the", "this", "your"):
        task = re.sub(r"\bour\b", "your", task)
        mine = re.sub(r"\byour\b", "my", re.sub(r"\byou\b", "I", task))
        yield (
            [
                f"How do you {task}?",
                f"How can I {mine}?",
                f"What do you have to do to {task}?",
                f"What should I do to {mine}?",
            ],
            way,
            "",
            1.0,
        )


def _reason(body: str, lexicon: Lexicon) -> Found:
    """X does Y because Z."""
    match = re.match(r"(.{8,150}?),? (because (?:of )?.{8,})$", body)
    if not match:
        return
    main, why = match[1], match[2]
    said = lexicon.inside(main)
    reworded = [f"What is the reason that {said}?", f"How come {said}?"]
    be = re.match(rf"(.{{2,70}}?) ({_AUXILIARY}) (.{{3,}})$", main)
    if be and (is_subject(be[1], 7) or be[1] == "You"):
        x = lexicon.inside(be[1])
        yield [f"Why {be[2]} {x} {be[3]}?", *reworded], why, x, 1.0
        return
    does = re.match(r"(.{2,60}?) ([a-z]+) (.{3,})$", main)
    if does and is_subject(does[1]):
        x, verb = lexicon.inside(does[1]), does[2]
        if verb in THIRD_PERSON:
            yield [f"Why does {x} {THIRD_PERSON[verb]} {does[3]}?", *reworded], why, x, 1.0
        elif base := lexicon.base(verb):
            yield [f"Why did {x} {base} {does[3]}?", *reworded], why, x, 1.0


def _time(body: str, lexicon: Lexicon) -> Found:
    """In 1920, X was done; X happened in May 1920."""
    date = rf"(?:[Ii]n (?:{MONTH} )?{YEAR}|[Oo]n {MONTH} \d+, {YEAR}|[Bb]y {YEAR})"
    first = re.match(rf"({date}), (.{{10,}})$", body)
    last = re.match(rf"(.{{10,}}?) ({date})$", body)
    if first:
        when, main = first[1], first[2]
    elif last:
        main, when = last[1], last[2]
    else:
        return
    when = when[0].lower() + when[1:]
    yearly = re.fullmatch(rf"in {YEAR}", when) is not None
    be = re.match(r"(.{2,60}?) (was|were) ([^,]{4,})$", main)
    if be and is_subject(be[1]):
        x = lexicon.inside(be[1])
        done = f"{be[2]} {x} {be[3]}"
        asked = f"In what year {done}?" if yearly else f"On what date {done}?"
        yield [f"When {done}?", asked, f"Do you know when {x} {be[2]} {be[3]}?"], when, x, 1.0
        return
    did = re.match(r"(.{2,60}?) ([a-z]+) ([^,]{4,})$", main)
    base = lexicon.base(did[2]) if did and is_subject(did[1]) else None
    if did and base:
        x = lexicon.inside(did[1])
        done = f"did {x} {base} {did[3]}"
        asked = f"In what year {done}?" if yearly else f"On what date {done}?"
        yield [f"When {done}?", asked, f"Do you know when {x} {did[2]} {did[3]}?"], when, x, 1.0


def _count(body: str, lexicon: Lexicon) -> Found:
    """There are three X; X has three Y."""
    there = re.match(rf"There (are|were) ({NUMBER}) ([^,]{{4,80}})$", body)
    if there:
        be, number, things = there[1], there[2], there[3]
        asked = [f"How many {things} {be} there?", f"What is the number of {things}?"]
        yield asked, number, "", 1.0
    has = re.match(rf"(.{{2,60}}?) (has|have|had) ({NUMBER}) ((?:\w+ ){{0,2}}\w+s)\b", body)
    if has and is_subject(has[1]):
        x, things = lexicon.inside(has[1]), has[4]
        do = {"has": "does", "have": "do", "had": "did"}[has[2]]
        asked = [f"How many {things} {do} {x} have?", f"What number of {things} {do} {x} have?"]
        yield [*asked, f"Can you say how many {things} {x} {has[2]}?"], f"{has[3]} {things}", x, 1.0


_MEASURES: Final = {
    "weighs": ("How much does {x} weigh?", "What is the weight of {x}?", "How heavy is {x}?"),
    "costs": ("How much does {x} cost?", "What is the price of {x}?", "What do you pay for {x}?"),
    "lasts": ("How long does {x} last?", "For how long does {x} last?", "What time does {x} last?"),
    "takes": (
        "How long does {x} take?",
        "How much time does {x} take?",
        "What time does {x} need?",
    ),
    "holds": ("How much does {x} hold?", "What is the capacity of {x}?", "What fits into {x}?"),
}


def _measure(body: str, lexicon: Lexicon) -> Found:
    """X weighs 20 grams."""
    verbs = "|".join(_MEASURES)
    match = re.match(rf"(.{{2,60}}?) ({verbs}) ((?:about |up to |at least )?{NUMBER} .+)$", body)
    if not match or not is_subject(match[1]):
        return
    timed = re.search(r"\b(?:second|minute|hour|day|week|month|year)s?\b", match[3])
    if timed or match[2] not in ("takes", "lasts"):
        x = lexicon.inside(match[1])
        yield [form.format(x=x) for form in _MEASURES[match[2]]], match[3], x, 1.0


def _place(body: str, lexicon: Lexicon) -> Found:
    """X is located in Y."""
    match = re.match(
        rf"(.{{2,60}}?) ({_BE}) (born|built|found|held|kept|located|made|produced|situated|stored) "
        r"((?:in|at|on|near|inside|along|between|within|outside|under) .{3,})$",
        body,
    )
    if match and is_subject(match[1]) and not re.match(rf"in (?:{MONTH} )?{YEAR}", match[4]):
        x, be, done = lexicon.inside(match[1]), match[2], match[3]
        asked = [f"Where {be} {x} {done}?", f"In what place {be} {x} {done}?"]
        if done in ("found", "kept", "located", "situated", "stored") and be in ("is", "are"):
            asked.append(f"Where can you find {x}?")
        yield [*asked, f"Can you tell me where {x} {be} {done}?"], match[4], x, 1.0


def _condition(body: str, lexicon: Lexicon) -> Found:
    """If X, then Y."""
    match = re.match(r"(If|When|Whenever) ([^,]{10,100}), (?:then )?(.{10,})$", body)
    if not match or re.match(r"(?:it|they|he|she|either|both|\w+ing)\b", match[2]):
        return
    if re.match(r"(?:or|and)\b", match[3]):  # the condition goes on
        return
    if len(match[2].split()) > 3 and re.search(
        r"\b(?:is|are|has|have|do|does|you|\w+s)\b", match[2]
    ):
        word, case = match[1].lower(), match[2]
        asked = [f"What happens {word} {case}?", f"What is the result {word} {case}?"]
        if re.match(r"you\b", case) and match[3].split()[0].lower() in (*IMPERATIVES, "you"):
            mine = re.sub(r"\byour\b", "my", re.sub(r"\byou\b", "I", case))
            asked = [f"What should you do {word} {case}?", f"What do I do {word} {mine}?"]
        yield [*asked, f"What follows {word} {case}?"], match[3], "", 0.8


_WITH_PREPOSITION: Final = word_set("belong consist depend differ lead refer rely result")


def _action(body: str, lexicon: Lexicon) -> Found:
    """X contains Y."""
    match = re.match(rf"(.{{2,60}}?) ({'|'.join(THIRD_PERSON)}) (.{{6,}})$", body)
    if not match or not is_subject(match[1]) or re.match(rf"(?:{_BE}|that)\b", match[3]):
        return
    x, verb, rest = lexicon.inside(match[1]), match[2], match[3]
    base = THIRD_PERSON[verb]
    linked = re.match(r"(to|of|on|in|from|with|for|between|as|about|by) ", rest)
    if linked and base in _WITH_PREPOSITION:
        link, rest = linked[1], rest[linked.end() :]
        asked = [f"What does {x} {base} {link}?", f"Can you tell me what {x} {verb} {link}?"]
        yield [*asked, f"{link} what does {x} {base}?"], rest, x, 1.0
    elif base in ("allow", "enable", "help"):
        asked = [f"What does {x} do?", f"Can you tell me what {x} does?", f"Why is {x} useful?"]
        yield asked, f"{verb} {rest}", x, 0.7
    elif not linked:
        asked = [f"What does {x} {base}?", f"Can you tell me what {x} {verb}?"]
        yield [*asked, f"What is it that {x} {verb}?"], rest, x, 1.0
        if "," not in rest and len(rest) < 80:
            asked = [f"What {verb} {rest}?", f"What is it that {verb} {rest}?"]
            yield [*asked, f"Do you know what {verb} {rest}?"], match[1], "", 0.8


def _deed(body: str, lexicon: Lexicon) -> Found:
    """A person did X."""
    match = re.match(r"(.{2,60}?) ([a-z]+) (.{6,})$", body)
    base = lexicon.base(match[2]) if match and is_person(match[1]) else None
    if not match or not base:
        return
    who, past, rest = match[1], match[2], match[3]
    if "," not in rest and len(rest) < 90:
        asked = [f"Who {past} {rest}?", f"Which person {past} {rest}?"]
        yield [*asked, f"Can you tell me who {past} {rest}?"], who, "", 1.0
    if not re.match(r"(?:to|of|on|in|from|with|for|at|by|into|that)\b", rest):
        yield [f"What did {who} {base}?", f"What was it that {who} {past}?"], rest, who, 0.8


def _doer(body: str, lexicon: Lexicon) -> Found:
    """X was done by Y."""
    match = re.match(
        rf"(.{{2,60}}?) ({_BE}) (\w+ed|built|found|held|made) by ([^,]{{3,70}})$", body
    )
    if match and is_subject(match[1]):
        x, be, done, doer = lexicon.inside(match[1]), match[2], match[3], match[4]
        person = is_person(doer)
        who = "Who" if person else "What"
        asked = [f"{who} {be} {x} {done} by?", f"{who} {done} {x}?"]
        if not person and be in ("is", "are"):
            asked = [asked[0]]
        yield [*asked, f"By {'whom' if person else 'what'} {be} {x} {done}?"], doer, x, 0.9


_RULES: Final[tuple[_Rule, ...]] = (
    _definition, _meaning, _name, _purpose, _how_to, _reason, _time, _count, _measure, _place,
    _condition, _action, _deed, _doer,
)  # fmt: skip
