"""The closed word classes of English that grounding looks at, and irregular forms."""

from __future__ import annotations

from typing import Final

_CALENDAR = (
    "january february march april june july august september october november december monday "
    "tuesday wednesday thursday friday saturday sunday"
)
_NEGATIONS = (
    "not no never none nothing nobody nowhere neither nor without unless except cannot hardly"
)
_RELATIONS = (
    "before after until since during above below under over behind beneath beside inside outside "
    "left right more less most least only first last always sometimes often rarely high low higher "
    "lower than every each all both either any"
)
_FUNCTIONS = (
    "a an and are as at be been being by can could did do does for from had has have he her hers "
    "him his how i if in into is it its itself may me might mine much must my of on or our ours "
    "please shall she should so some such that the their theirs them then there these they this "
    "those to too up us very was we were what when where which while who whom whose why will with "
    "would you your yours also just about because but though although however get gets got"
)
_ANAPHORS = "it its they them their theirs he him his she her hers this these those such one"
_ASKING = (
    "name call kind sort type thing many much long often far old large big happen mean purpose "
    "time day year number way reason true know text say describe term refer explain define example "
    "find make have need use work part place amount cost size color colour high weigh deep wide "
    "warm hot cold first last every each all any most"
)
_AMOUNTS = "many few several some all none every each always never often rarely daily weekly"
_DETERMINERS = "the a an it them your his her its their any not this that"
_SUBJECTS = "to i you we they he she who people must should can may"
_PREPOSITIONS = "on to in from of for with at by into onto about behind under over through as like"
_CONDITIONS = "if when whenever once unless before after case"
_STUMPS = "a an the and or that which is are was were be very"
_PARTICIPLES = (
    "built made laid set cut kept held sold found put hung left run done taken given written shown "
    "known told bought fed sent worn"
)
_PEOPLE = (
    "person people man woman men women member owner user author everybody somebody anybody nobody "
    "everyone someone anyone maintainer reviewer team group friend child children"
)
_REQUESTING = (
    "write give overview short text tell describe explain summary summarize summarise list "
    "paragraph essay poem story note guide introduce introduction article piece brief detail "
    "detailed compose create draft provide outline discuss tone mood style please sketch "
    "instruction section"
)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_TITLES = "mr mrs ms dr st prof sir jr sr"

CALENDAR: Final = frozenset(_CALENDAR.split())
NEGATIONS: Final = frozenset(_NEGATIONS.split())
# Words that turn a statement round or move it; an answer must agree with its source on them.
RELATIONS: Final = NEGATIONS | frozenset(_RELATIONS.split())
FUNCTIONS: Final = frozenset(_FUNCTIONS.split())
ANAPHORS: Final = frozenset(_ANAPHORS.split())
# What a question may say that no statement says.
ASKING_WORDS: Final = frozenset(_ASKING.split())
DETERMINERS: Final = frozenset(_DETERMINERS.split())
SUBJECTS: Final = frozenset(_SUBJECTS.split())  # after these a verb is no command
PREPOSITIONS: Final = frozenset(_PREPOSITIONS.split())
CONDITIONS: Final = frozenset(_CONDITIONS.split())
STUMPS: Final = frozenset(_STUMPS.split())  # no sentence ends with one
PARTICIPLES: Final = frozenset(_PARTICIPLES.split())  # those that do not end in -ed
AMOUNTS: Final = frozenset(_AMOUNTS.split())
PEOPLE_WORDS: Final = frozenset(_PEOPLE.split())
REQUESTING_WORDS: Final = frozenset(_REQUESTING.split())  # what a request for a text says
TITLES: Final = frozenset(_TITLES.split())
UNITS: Final = tuple(_UNITS.split())
TENS: Final = {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
ORDINALS: Final = {word: number for number, word in enumerate(_ORDINALS.split(), 1)}
QUANTITIES: Final = {"half": "1/2", "quarter": "1/4", "dozen": "12", "twice": "x2", "once": "x1"}
SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

# Form -> stem.
IRREGULAR: Final = {
    form: base
    for base, forms in {
        "begin": "began begun", "bring": "brought", "build": "built", "buy": "bought",
        "catch": "caught", "choose": "chose chosen", "come": "came", "draw": "drew drawn",
        "fall": "fell fallen", "feel": "felt", "find": "found", "give": "gave given",
        "go": "went gone goes", "grow": "grew grown", "hang": "hung", "hold": "held",
        "keep": "kept", "know": "knew known", "lead": "led", "lie": "lay lain lies lying",
        "lose": "lost", "mak": "made make makes making", "mean": "meant", "meet": "met",
        "pay": "paid", "run": "ran", "say": "said", "see": "saw seen", "sell": "sold",
        "send": "sent", "show": "shown", "sit": "sat", "speak": "spoke spoken",
        "spend": "spent", "stand": "stood", "tak": "took taken take takes taking",
        "teach": "taught", "tell": "told", "think": "thought", "wear": "wore worn",
        "win": "won", "writ": "wrote written write writes writing", "weigh": "weight weights",
        "long": "length lengths", "high": "height heights", "us": "use uses used using",
    }.items()
    for form in forms.split()
}  # fmt: skip
