"""What a log teaches, as an edit plan: answers that were corrected, and plain good exchanges.

Whether a user corrects the assistant, and whether the assistant then answers well, is told by how a
message begins, in English. What is doubtful counts as no correction: a thing that is learned as
wrong has to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dlm.data.preferences import Balance, Direction, balance, directions
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.errors import DocumentError
from dlm.loops.chat_logs.messages import ASSISTANT, USER, Comparison, Conversation, Log, Turn
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple
from dlm.loops.proposals import Existing, Proposal, Proposer, Unused, run_id
from dlm.text.cleaning import clean
from dlm.text.near import repetition
from dlm.text.sentences import pieces, split_sentences
from dlm.text.words import content_words

_NOT_TO_LEARN = "its answer was cut off, stands in a canvas or picture, or is marked as bad"
_LEANS = "the question leans on what was said before it"
_MOST_REPEATED = 0.3  # share of word trigrams that stood in the answer before
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


@dataclass(frozen=True, slots=True)
class Imported:
    """The plan, and what became of everything else that was found.

    `balance` is that of the document's triples with the new ones.
    """

    plan: EditPlan
    conversations: int
    corrections: int
    exchanges: int
    triples: int
    pairs: int
    balance: Balance
    unused: tuple[Unused, ...] = ()


def import_log(document: Document, log: Log, *, pairs: bool, at: datetime) -> Imported:
    """Plan what a log adds to the document. Pure: nothing is read or written.

    Exam questions, and what stands in the document already, are left out and named.
    """
    found = [one for conversation in log.conversations for one in found_in(conversation)]
    found += [found_between(comparison) for comparison in log.comparisons]
    unused = [one for one in found if isinstance(one, Unused)]
    given = [one for one in found if isinstance(one, Proposal)]
    corrected = [one for one in given if isinstance(one.content, NewTriple)]
    exchanges = [one for one in given if isinstance(one.content, NewPair)]
    proposer = Proposer(run_id("import", document, found, pairs), Origin.IMPORTED, log.format, at)
    existing = Existing(document)
    additions: list[Addition] = []
    for one in [*corrected, *(exchanges if pairs else ())]:
        try:
            if reason := existing.why_not(one.content):
                unused.append(Unused(one.source, reason, one.prompt))
            else:
                existing.take(one.content, one.source)
                additions.append(proposer.addition(one.content, one.source, extra={"how": one.how}))
        except DocumentError as error:
            unused.append(Unused(one.source, error.message, one.prompt))
    triples = [triple for each in additions for triple in each.triples]
    plan = proposer.plan(
        document, additions, conversations=len(log.conversations), corrections=len(corrected)
    )
    standing = [triple for section in document.sections for triple in section.triples]
    return Imported(
        plan,
        len(log.conversations),
        len(corrected),
        len(exchanges),
        len(triples),
        len(additions) - len(triples),
        balance([*standing, *triples]),
        tuple(unused),
    )


def found_in(conversation: Conversation) -> Iterator[Proposal | Unused]:
    """What each question of a conversation gives, in order."""
    turns = conversation.turns
    at = next((place for place, turn in enumerate(turns) if turn.role == USER), len(turns))
    first = True
    while at + 1 < len(turns):
        chain = _chain(turns, at)
        if turns[at + 1].role == ASSISTANT:
            yield from _read(conversation.where, turns, chain, first=first)
        first = False
        at = chain[-1] + 2


def found_between(comparison: Comparison) -> Proposal | Unused:
    """What two answers give, of which a file says which is the better."""
    prompt = clean(comparison.turns[-1].text)
    if len(comparison.turns) > 1 and leans_on_more(prompt):
        return Unused(comparison.where, _LEANS, prompt)
    chosen, rejected = (clean(one).strip() for one in (comparison.chosen, comparison.rejected))
    return Proposal(NewTriple(prompt, chosen, rejected), comparison.where, "compared")


def _chain(turns: tuple[Turn, ...], at: int) -> list[int]:
    """The place of a question, and those of the corrections that follow one another after it."""
    chain = [at]
    while chain[-1] + 2 < len(turns) and _cue(turns, chain[-1] + 2):
        chain.append(chain[-1] + 2)
    return chain


def _cue(turns: tuple[Turn, ...], at: int) -> str | None:
    return correction(turns[at].text, answered=turns[at - 1].text)


def _read(
    where: str, turns: tuple[Turn, ...], chain: list[int], *, first: bool
) -> Iterator[Proposal | Unused]:
    prompt = without_greeting(clean(turns[chain[0]].text))
    earlier, corrected = turns[chain[0] + 1], len(chain) > 1
    if chain[-1] + 1 >= len(turns):
        yield Unused(where, "the conversation ends with a correction", prompt)
        return
    answer = turns[chain[-1] + 1]
    if not first and leans_on_more(prompt):
        if corrected:
            yield Unused(where, _LEANS, prompt)
        return
    if not corrected:
        if not answer.finished:
            yield Unused(where, _NOT_TO_LEARN, prompt)
        elif _is_good(answer) and len(prompt.split()) > 1:
            yield Proposal(NewPair(prompt, clean(answer.text).strip()), where, "exchange")
        return
    told = "\n".join(turns[place].text for place in chain[1:])
    chosen = clean(without_apology(answer.text)).strip()
    reason = why_not_better(earlier.text, told, chosen)
    if not reason and not _is_good(answer):
        reason = "the answer after it was cut off or repeats itself"
    if reason:
        yield Unused(where, reason, prompt)
        return
    cue = _cue(turns, chain[1]) or ""
    triple = NewTriple(prompt, chosen, clean(earlier.text).strip())
    yield Proposal(triple, where, f"corrected: {cue}")


def _is_good(answer: Turn) -> bool:
    return (
        answer.finished
        and Direction.DECLINING not in directions(answer.text)
        and repetition(answer.text) <= _MOST_REPEATED
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
