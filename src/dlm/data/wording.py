"""Other ways to ask, made by rule: variants of a question, and cues that a sentence answers to.

A variant keeps the words that carry the question and drops, reorders or wraps the rest, so that an
answer is not tied to one exact wording. A cue is a few words of a text, put like a question:
reading prose teaches a model to continue it, not to answer from it (Berglund et al., 2023;
Allen-Zhu and Li, 2023), so each sentence is also the answer to cues, another one in each epoch: an
inverse cloze task (Lee et al., 2019) with the queries of a differentiable search index (Tay et al.,
2022) in mind. Both are made for training: the document never contains them.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from dlm.data.lessons import Lesson
from dlm.text.sentences import sentences
from dlm.text.words import FUNCTION_WORDS, content_words, meaningful

_POLITE: Final = (
    "",
    "",
    "Tell me: ",
    "Please answer: ",
    "Question: ",
    "Can you say: ",
    "I want to know: ",
    "Quick question: ",
)
_OPENINGS: Final = (
    "What",
    "What is",
    "What does",
    "What should I do",
    "Which",
    "How",
    "How many",
    "How long",
    "How do I",
    "Where",
    "When",
    "Who",
    "Why",
    "At what",
    "Tell me about",
    "",
    "",
)
_BETWEEN: Final = ("the", "a", "is", "are", "of", "does", "in", "to", "it", "for")
_FEWEST: Final = 3  # words that carry meaning, of a sentence that says something
_SAID: Final = 0.6
_LONGEST: Final = 60  # words of a sentence; what is longer is none


def reword(question: str, rng: random.Random) -> str:
    """Return a variant of `question`; the same generator state gives the same variant."""
    words = question.split()
    if len(words) < 3 or "\n" in question:
        return question
    choice = rng.random()
    if choice < 0.4:
        kept = _drop(words, rng, 0.12)
    elif choice < 0.7:
        kept = _keywords(words, rng)
    else:
        kept = _drop(words, rng, 0.3)
    text = rng.choice(_POLITE) + " ".join(kept)
    return text if rng.random() < 0.7 else text[0].lower() + text[1:]


class Answers:
    """What the pairs of a document say: their sentences need no cues, which would compete."""

    def __init__(self, pairs: Iterable[Lesson] = ()) -> None:
        self._sizes: list[int] = []
        self._places: dict[str, list[int]] = defaultdict(list)
        for number, pair in enumerate(pairs):
            words = content_words(pair.text)
            self._sizes.append(len(words))
            for word in words:
                self._places[word].append(number)

    def say(self, sentence: str) -> bool:
        """Whether an answer has the words of the sentence: a Sørensen-Dice of 0.6 or more."""
        words = content_words(sentence)
        shared = Counter(number for word in words for number in self._places.get(word, ()))
        return any(
            2 * count >= _SAID * (len(words) + self._sizes[number])
            for number, count in shared.items()
        )


def told(prose: str, answers: Answers) -> Iterator[str]:
    """The sentences of a piece of prose that say something by themselves, and that no pair says."""
    for sentence in sentences(prose):
        text = sentence.text
        says = len(meaningful(text)) >= _FEWEST and len(text.split()) <= _LONGEST
        if says and not text.startswith("|") and not answers.say(text):  # | begins a table
            yield text


def cue(text: str, rng: random.Random, *, fewest: int = 1, most: int = 4) -> str:
    """From `fewest` to `most` words of `text` that carry meaning, as if somebody asked for them.

    Half of them in another order, with small words put between. The same generator state gives the
    same cue.
    """
    words = meaningful(text)
    picked = sorted(rng.sample(range(len(words)), min(len(words), rng.randint(fewest, most))))
    if rng.random() < 0.5:
        rng.shuffle(picked)
    asked = [rng.choice(_OPENINGS)]
    for word in (words[at] for at in picked):
        if rng.random() < 0.5:
            asked.append(rng.choice(_BETWEEN))
        asked.append(word.lower() if rng.random() < 0.7 else word)
    return " ".join(filter(None, asked)) + rng.choice(("?", "?", ""))


def _drop(words: list[str], rng: random.Random, share: float) -> list[str]:
    kept = [word for word in words if rng.random() >= share]
    return kept if len(kept) >= 2 else words


def _keywords(words: list[str], rng: random.Random) -> list[str]:
    """The words that carry meaning, now and then in another order."""
    kept = [
        word
        for word in words
        if word.strip("?.,!'\"").lower() not in FUNCTION_WORDS or rng.random() < 0.3
    ]
    if rng.random() < 0.4:
        rng.shuffle(kept)
    return kept or words
