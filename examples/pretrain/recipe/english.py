"""As much English as rules over single sentences need: noun phrases, persons, forms of verbs.

Knows word lists and counts, no grammar: what it is unsure of it declines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from recipe.words import word_list, word_set

YEAR: Final = r"(?:1[0-9]{3}|20[0-2][0-9])"
MONTH: Final = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
NUMBER: Final = (
    r"(?:\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|"
    r"forty|fifty|sixty|seventy|eighty|ninety|hundreds of|thousands of|millions of)"
)
IMPERATIVES: Final = word_set(
    "add apply call check choose click copy create define disable download enable enter "
    "follow hold import install make move open place press provide put remove replace run "
    "save select set specify start stop take turn type use write"
)

_OPENERS: Final = re.compile(
    r"^(?:Additionally|Again|Also|And|As a result|But|Consequently|Finally|For example|"
    r"For instance|Furthermore|Generally|Hence|However|In addition|In contrast|In fact|In general|"
    r"In other words|In short|Indeed|Instead|Moreover|Next|Note that|Of course|Often|"
    r"On the other hand|Similarly|So|Still|Then|Therefore|Thus|Today|Typically|Usually),?\s+"
    r"(?=[A-Za-z])"
)
_CLINGS: Final = re.compile(  # sentences that say little on their own
    r"\b(?:figure|table|chapter|section|see|below|above|shown|shows|following|previous|earlier|"
    r"listed|pictured|here|this|these|those|such|former|latter|link|click|example|we'll|let's|"
    r"I|my|me|us|we|our)\b|[|{}<>\[\];]|https?:|\?$|:$",
    re.IGNORECASE,
)
_NO_SUBJECT: Final = word_set(
    "a about after again all although an and another any anyone anything as at because before "
    "both but by during each even every everyone everything few first for from he her here "
    "his how however if in instead into it its just less let like many more most much no none "
    "not nothing now on once one only other others our over perhaps second see several she "
    "since sometimes some someone something such that their them then there these they third "
    "this those though through thus to under unless unlike until we what when where whether "
    "which while who whose why with yes yet you your"
) - {"a", "an", "all", "each", "every", "many", "most", "some", "several", "few"}
_NO_PHRASE: Final = word_set(
    "also am and are as because been being but called can could did do does from had has have "
    "he however if into is it just known made may might must named not only or shall she "
    "should so such than that then there these they this those to used very was we were when "
    "which while who whom whose will with would you"
) - {"and", "or", "with"}
_LAST: Final = word_set("a an and at by for from in of on or the to with")
_ARTICLES: Final = word_set("a all an each every its many most some the their")

_FIRST_NAMES: Final = word_set(
    "Abraham Adam Albert Alexander Alfred Andrew Anna Anne Anthony Antonio Aristotle Arthur "
    "Augustus Barack Benjamin Bill Booker Carl Carlos Charles Christopher Daniel David Donald "
    "Edward Eleanor Elizabeth Emily Ernest Florence Francis Frank Franklin Frederick Galileo "
    "George Gloria Harriet Harry Helen Henry Ida Isaac Ivan Jack James Jane Jean Jerome Jimmy "
    "Johannes John Jonathan Joseph Juan Julius Karl Leonardo Louis Louisa Lyndon Mahatma "
    "Margaret Marie Mark Martha Martin Mary Max Michael Muhammad Napoleon Nelson Nicolaus "
    "Paul Peter Philip Plato Richard Robert Ronald Rosa Ruth Samuel Sarah Sigmund Simon "
    "Socrates Stephen Susan Theodore Thomas Virginia Walter William Winston"
)
_TITLES: Final = word_set(
    "Dr. Emperor General King Lord Pope President Prince Princess Professor Queen Saint Sir"
)
_SMALL: Final = frozenset(["de", "of", "the", "van", "von"])

_VERBS: Final = word_list(
    "absorb accept address affect allow appear attach attract belong block carry cause "
    "collect combine compare connect consist consume contain control convert cover create "
    "decrease define deliver depend describe detect determine differ eat enable encourage "
    "ensure explain extend feed form generate give grow handle help hold implement include "
    "increase indicate influence involve keep lead limit link lower maintain make manage "
    "measure move need offer perform prevent produce promote protect provide raise receive "
    "record reduce reflect refer regulate reject release rely remove replace represent "
    "require resemble result return send separate serve show specify store support surround "
    "take track transfer transport treat use work"
)
_IRREGULAR: Final = dict(
    pair.split(":")
    for pair in word_list(
        "became:become began:begin bought:buy broke:break brought:bring built:build caught:catch "
        "chose:choose drew:draw drove:drive fell:fall felt:feel fled:flee fought:fight "
        "found:find gave:give grew:grow held:hold kept:keep knew:know led:lead left:leave "
        "lost:lose made:make met:meet paid:pay ran:run rose:rise saw:see sent:send sold:sell "
        "sought:seek spent:spend spoke:speak stood:stand struck:strike taught:teach thought:think "
        "threw:throw told:tell took:take went:go won:win wore:wear wrote:write"
    )
)


def _third(verb: str) -> str:
    if re.search(r"(?:s|sh|ch|x|z|o)$", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


THIRD_PERSON: Final = {_third(verb): verb for verb in _VERBS}  # "carries" to "carry"


class Lexicon:
    """How often words stand in lower case and capitalised inside sentences."""

    def __init__(self, low: Counter[str] | None = None, capital: Counter[str] | None = None):
        self.low, self.capital = low or Counter(), capital or Counter()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lexicon:
        made = cls()
        for text in texts:
            for word in re.findall(r"(?<=[a-z,] )[A-Za-z]+", text):
                (made.low if word.islower() else made.capital)[word.lower()] += 1
        return made

    def add(self, other: Lexicon) -> None:
        self.low.update(other.low)
        self.capital.update(other.capital)

    def without_rare(self, least: int = 3) -> Lexicon:
        """Only words counted often enough to tell something; it travels to every process."""
        low, capital = (
            Counter({word: n for word, n in counted.items() if n >= least})
            for counted in (self.low, self.capital)
        )
        return Lexicon(low, capital)

    def inside(self, phrase: str) -> str:
        """A phrase from the head of a sentence as it is written inside one."""
        first, space, rest = phrase.partition(" ")
        word = first.lower()
        plain = first.isalpha() and first[:1].isupper() and first[1:].islower()
        if word in _ARTICLES or (plain and self.low[word] > 2 * self.capital[word]):
            return word + space + rest
        return phrase

    def base(self, past: str) -> str | None:
        """The base form of a verb in the past tense, or None."""
        if past in _IRREGULAR:
            return _IRREGULAR[past]
        if not past.endswith("ed") or len(past) < 5:
            return None
        forms = [past[:-3] + "y"] if past.endswith("ied") else [past[:-2], past[:-1]]
        if len(past) > 5 and past[-3] == past[-4]:
            forms.append(past[:-3])
        best = max(forms, key=lambda form: self.low[form])
        return best if self.low[best] > 8 else None


def tidy(sentence: str) -> str:
    """A sentence without the words that tie it to the one before."""
    text = _OPENERS.sub("", _OPENERS.sub("", sentence.strip()))
    return text[:1].upper() + text[1:]


def stands_alone(sentence: str) -> bool:
    """Whether a reader can understand the sentence alone, as far as one can see."""
    return (
        35 <= len(sentence) <= 300
        and sentence.endswith(".")
        and sentence[0].isupper()
        and not _CLINGS.search(sentence)
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
    )


def is_subject(phrase: str, most: int = 6) -> bool:
    """Whether a phrase looks like a noun phrase that names something."""
    words = phrase.split()
    if not 1 <= len(words) <= most or "," in phrase or phrase.count("`") % 2:
        return False
    lowered = [word.lower() for word in words]
    if lowered[0] in _NO_SUBJECT or lowered[-1] in _LAST or len(phrase) < 2:
        return False
    return not any(
        word in _NO_PHRASE or word in THIRD_PERSON or word.endswith("ly") for word in lowered
    )


def is_person(phrase: str) -> bool:
    words = phrase.split()
    known = words[0] in _FIRST_NAMES or (words[0] in _TITLES and len(words) > 1)
    return known and all(word[:1].isupper() or word in _SMALL for word in words)
