"""The closed word classes of English that the filters of synthesis look at."""

from __future__ import annotations

from typing import Final

from dlm.text.terms import keys

_ANAPHORS = "it its they them their theirs he him his she her hers this these those that such one"
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

ANAPHORS: Final = frozenset(_ANAPHORS.split())
DETERMINERS: Final = frozenset(_DETERMINERS.split())
SUBJECTS: Final = frozenset(_SUBJECTS.split())  # after these a verb is no command
PREPOSITIONS: Final = frozenset(_PREPOSITIONS.split())
CONDITIONS: Final = frozenset(_CONDITIONS.split())
STUMPS: Final = frozenset(_STUMPS.split())  # no sentence ends with one
PARTICIPLES: Final = frozenset(_PARTICIPLES.split())  # those that do not end in -ed
AMOUNTS: Final = frozenset(_AMOUNTS.split())

# Keys of terms: what a question may say that no statement says, people, what a request says.
ASKING: Final = keys(_ASKING)
PEOPLE: Final = keys(_PEOPLE)
REQUESTING: Final = keys(_REQUESTING)
