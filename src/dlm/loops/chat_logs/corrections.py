"""Whether a user corrects the assistant, and whether the assistant then answers well.

Told by how a message begins, in English. What is doubtful counts as no correction: a thing that is
learned as wrong has to be wrong.
"""

from __future__ import annotations

import re
from typing import Final

from dlm.data.preferences import Direction, directions
from dlm.text.sentences import pieces, split_sentences
from dlm.text.words import content_words

_MOST_WORDS: Final = 80  # of a correction; what is longer is a new request
_ECHO: Final = 0.9  # share of the words of the earlier answer that a better one may repeat

# What a message that corrects nothing may begin with.
_POLITE: Final = re.compile(
    r"^(?:no,? (?:thanks|thank|problem|worries|need|rush|more|idea|further|questions?|"
    r"(?:that|it)(?:'s| is) (?:all|it|fine|ok|okay|great|good|enough|everything|perfect|right|"
    r"correct))\b|"
    r"(?:yes|yeah|yep|thanks|thank you|thx|great|perfect|nice|cool|exactly|correct|right|good|"
    r"awesome|excellent|wonderful|(?:you(?:'re| are)|that(?:'s| is)) (?:right|correct))\b)"
)
# How a correction begins, each with the name by which it is told.
_NO: Final = "no, …"
CUES: Final = {
    _NO: re.compile(
        r"^(?:no|nope|nah)(?:[,.!;:]| -| –| —)+ *\S|^no (?:it|its|it's|that|that's|the|there|they|"
        r"this|you|he|she|we|not)\b"
    ),
    "that is wrong": re.compile(
        r"^(?:sorry,? |but |hmm,? |um,? |well,? |i(?:'m| am) afraid |i think )*"
        r"(?:that|this|it|your answer|the answer)(?:'s| is| was|s) "
        r"(?:(?:just |simply |still |completely |totally |clearly )?"
        r"(?:wrong|incorrect|false|mistaken|untrue|a mistake|an error)\b|"
        r"not (?:quite |actually |entirely |really )?(?:right|correct|true|it\b|accurate|"
        r"what (?:i|the)))"
    ),
    "that isn't right": re.compile(
        r"^(?:sorry,? |but |hmm,? |well,? )*(?:that|this|it) (?:isn't|wasn't|is n't) "
        r"(?:quite |actually )?(?:right|correct|true|it\b|accurate|what (?:i|the))"
    ),
    "wrong": re.compile(r"^(?:wrong|incorrect|false|not (?:quite|exactly|true|correct|right))\b"),
    "you are wrong": re.compile(
        r"^(?:sorry,? |but |i think |hmm,? )*you(?:'re| are) (?:wrong|mistaken|incorrect|confusing)"
        r"|^(?:but )?you (?:misread|misunderstood|mixed up|confused|got (?:it|that|this|the \w+) "
        r"wrong|made a mistake|forgot|missed|left out)\b"
    ),
    "actually, …": re.compile(
        r"^actually,? (?:it|its|it's|the|that|that's|this|there|they|he|she|we|i (?:said|meant|"
        r"asked))\b"
    ),
    "it should be": re.compile(
        r"^(?:but |no,? )?(?:it|that|this|the \w+) (?:should (?:be|have been|say|read)|must be)\b"
    ),
    "I meant": re.compile(
        r"^(?:but )?i (?:said|asked (?:for|about|you)|meant|didn't (?:ask|mean))\b"
    ),
    "correction": re.compile(r"^(?:small |one )?correction\b"),
}
_CLAUSE: Final = re.compile(r"(?:,| -| –| —|;|:)\s+(?:and |but |so |indeed,? )?")
_FEWEST_WORDS: Final = 3  # of a clause that says something
_APOLOGY: Final = re.compile(
    r"^(?:oh,? |ah,? )?(?:(?:i(?:'m| am) )?(?:so |very |really )?sorry\b|(?:my |i )?apolog|"
    r"my (?:mistake|bad|error)\b|good (?:catch|point)\b|"
    r"you(?:'re| are) (?:absolutely |completely |quite |totally |so )?(?:right|correct)\b(?!-)|"
    r"thank(?:s| you) for (?:the |your |pointing|correcting|catching|letting|clarif)|"
    r"i (?:made a mistake|was wrong|misread|misunderstood|stand corrected|see\b|understand\b)|"
    r"(?:that|this)(?:'s| is) (?:right|correct|a good (?:catch|point))[.!,]|"
    r"yes,? (?:you(?:'re| are) right|that(?:'s| is) (?:right|correct)))",
    re.IGNORECASE,
)


def correction(message: str, answered: str = "") -> str | None:
    """The name of the cue by which a user's message corrects an answer; None when it does not.

    A question of doubt ("Are you sure?") is none: who is asked so often enough gives in. Nor is a
    plain "no" to an answer that ends in a question.
    """
    text = " ".join(message.replace("’", "'").split()).lower()
    if _POLITE.match(text) or len(text.split()) > _MOST_WORDS:
        return None
    if text.endswith("?") and len(split_sentences(text)) == 1:
        return None
    cue = next((name for name, cue in CUES.items() if cue.match(text)), None)
    return None if cue == _NO and answered.rstrip().endswith("?") else cue


def without_apology(answer: str) -> str:
    """The answer without what at its head only owns up to the mistake.

    To the first question that answers nothing, and would teach to say sorry.
    """
    rest = answer.strip()
    while _APOLOGY.match(rest.replace("’", "'")):
        sentence = next(iter(pieces(rest.partition("\n")[0]))).rstrip()
        after = rest[len(sentence) :]
        said = _CLAUSE.split(sentence, maxsplit=1)[1:]
        if said and len(said[0].split()) >= _FEWEST_WORDS:
            # "You are right, the key hangs outside": what stands behind the comma is the answer.
            rest = f"{said[0][:1].upper()}{said[0][1:]}{rest[len(sentence) :]}"
        else:
            rest = after.lstrip()
    return rest


def why_not_better(earlier: str, told: str, later: str) -> str | None:
    """Why an answer after a correction is no good one, or None.

    `told` is the correction, `later` the answer without its apology.
    """
    if not later:
        return "the answer after it only apologises"
    if Direction.DECLINING in directions(later):
        return "the answer after it declines"
    before, after, said = (content_words(text) for text in (earlier, later, told))
    if before and len(before & after) >= _ECHO * len(before | after):
        return "the answer after it says the same again"
    new = said - before - _IDLE
    if new and not new & after:
        return "the answer after it does not take up the correction"
    return None


def without_greeting(question: str) -> str:
    """The question without a greeting or thanks before it."""
    return _GREETING.sub("", question.strip()) or question


def leans_on_more(question: str) -> bool:
    """Whether a question points to something said before it, so that it cannot stand alone."""
    words = question.replace("’", "'").lower().split()
    return len(words) < 3 or bool(_LEANING.search(" ".join(words)))


_GREETING: Final = re.compile(
    r"^(?:(?:(?:hi|hello|hey)(?: there| all)?,\s+)|(?:(?:thanks|thank you|great|perfect|ok|okay|hi|"
    r"hello|hey|good (?:morning|evening))\b[^.!?:;\n]{0,40}[.!]\s+))+",
    re.IGNORECASE,
)
_IDLE_WORDS: Final = (
    "no nope nah wrong incorrect false mistake mistaken right correct actually not answer sorry "
    "said meant asked ask think know again try please isn t s you your me my i m re true quite "
    "really exactly still just correction forgot missed confused hmm well but"
)
_IDLE: Final = frozenset(_IDLE_WORDS.split())
_LEANING: Final = re.compile(
    r"^(?:and|but|so|then|also|or|ok|okay|what about|how about|why\?|really|again|continue|go on|"
    r"more|another|the (?:first|second|third|last|other|same)|same|it|that|this|those|these)\b|"
    r"\b(?:it|that one|this one|those|these|them|the above|the previous|the latter|the former|"
    r"as before|instead|your (?:answer|last|previous))\b"
)
