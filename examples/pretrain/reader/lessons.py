"""Conversations that teach a base to read notes, made from human questions on passages.

Four kinds: passages and a question, answered in a sentence of theirs; passages that do not hold
the answer; a passage to write question-answer pairs about; and what the base says to everyday
questions by itself, so that it goes on saying it. Conversations that share their beginning form
one `Pack`: the notes are read once and every question continues from there, which is how
retrieval-augmented fine-tuning (RAFT, Zhang et al. 2024) becomes cheap enough for a CPU.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

READ = "Answer from the notes. If they do not say, say so."
DECLINED = "The notes do not say."
WRITE = "You write training data from a passage."
EXTRACT = (
    "Write {n} question-and-answer pair(s) that the passage answers directly. "
    "Use only facts from the passage.\n\nPassage:\n{text}"
)
BACK = "Write the request that this text answers. Do not quote it.\n\nText:\n{text}"

_LONGEST = 30  # words of a sentence that is an answer; of a longer one only the span is
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[A-Z0-9])")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|No|vs|etc|e\.g|i\.e|c|ca|approx)\.$")
_WORD = re.compile(r"[a-z0-9]+(?:[.,'][a-z0-9]+)*")
_SMALL = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "if",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "as",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "it",
        "its",
        "he",
        "she",
        "they",
        "his",
        "her",
        "their",
        "him",
        "them",
        "that",
        "this",
        "these",
        "those",
        "who",
        "what",
        "which",
        "when",
        "where",
        "why",
        "how",
        "did",
        "do",
        "does",
        "had",
        "has",
        "have",
        "not",
        "no",
        "so",
        "then",
        "there",
        "into",
        "out",
        "up",
        "down",
        "over",
        "after",
        "before",
    ]
)
_OPENINGS = ("", "", "", "Tell me: ", "I want to know: ", "Can you say: ", "Quick question: ")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on a passage: the sentence that answers it, and the answer to be given."""

    question: str
    sentence: int
    answer: str
    key: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentences of one text, with the questions that people asked about them."""

    text_id: str
    sentences: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """A shared beginning (`system`, `opening` of the user's turn) and what may follow each time."""

    system: str | None
    opening: str
    branches: tuple[tuple[str, str], ...]


def passages_of(folder: Path) -> list[Passage]:
    """Everything in the folder of human questions; both sources, in their order."""
    return [*_xquad(folder / "xquad.en.json"), *_fairytales(folder / "fairytaleqa.jsonl.zst")]


def packs_of(passages: Sequence[Passage], rng: random.Random) -> Iterator[Pack]:
    """Reading and writing packs over all passages, once; call again for another draw."""
    by_text: dict[str, list[Passage]] = defaultdict(list)
    for one in passages:
        by_text[one.text_id].append(one)
    order = [one for one in passages if one.asked]
    rng.shuffle(order)
    for one in order:
        pack = _reading(one, by_text[one.text_id], passages, rng)
        if pack.branches:
            yield pack
        if rng.random() < 0.3 and len(one.asked) >= 2:
            yield _writing(one, rng)


def general_packs(samples: Path, rng: random.Random) -> Iterator[Pack]:
    """What the base said to everyday questions by itself."""
    rows = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
    rng.shuffle(rows)
    for row in rows:
        yield Pack(None, "", ((row["question"], row["answer"]),))


# --- reading ------------------------------------------------------------------------------------


def _reading(
    one: Passage, of_text: Sequence[Passage], others: Sequence[Passage], rng: random.Random
) -> Pack:
    """A few windows of sentences and stored pairs as notes, with the questions they answer."""
    windows = _windows(one, rng)
    kept = rng.sample(windows, min(len(windows), rng.choice((2, 3, 3))))
    shown: list[str] = []
    branches: list[tuple[str, str]] = []
    near: list[tuple[str, str]] = []
    asked = list(one.asked)
    rng.shuffle(asked)
    for start, end in kept:
        shown.append(" ".join(one.sentences[start:end]))
    visible = {at for start, end in kept for at in range(start, end)}
    stored = [a for a in asked if rng.random() < 0.3][:3]
    for pair in stored:
        shown.append(f"Q: {pair.question}\nA: {pair.answer}")
        twins = [a for a in asked if a is not pair and _same(a, pair)]
        for twin in twins[:2]:
            branches.append((twin.question, pair.answer))
        branches.append(
            (pair.question if rng.random() < 0.3 else reworded(pair.question, rng), pair.answer)
        )
    told = {branch[0] for branch in branches} | {pair.question for pair in stored}
    for question in asked:
        if question.question in told or any(_same(question, pair) for pair in stored):
            continue
        if question.sentence in visible:
            said = question.question if rng.random() < 0.85 else reworded(question.question, rng)
            branches.append((said, question.answer))
        elif not any(question.key.lower() in text.lower() for text in shown):
            near.append((question.question, DECLINED))
    far = rng.choice(others)
    while len(shown) < 4 and far.text_id != one.text_id:
        start, end = rng.choice(_windows(far, rng))
        text = " ".join(far.sentences[start:end])
        shown.append(text)
        if far.asked and rng.random() < 0.4:
            inside = [a for a in far.asked if start <= a.sentence < end]
            branches += [(a.question, a.answer) for a in inside[:1]]
        far = rng.choice(others)
    if len(of_text) > 1 and rng.random() < 0.5:
        other = rng.choice([p for p in of_text if p is not one])
        near += [(a.question, DECLINED) for a in other.asked[:2] if not _held(a, shown)]
    rng.shuffle(branches)
    rng.shuffle(near)
    branches = branches[:7] + near[: int(rng.random() < 0.3)]
    if rng.random() < 0.12:
        away = rng.choice(others)
        if away.asked and away.text_id != one.text_id:
            lost = rng.choice(away.asked)
            if not _held(lost, shown):
                branches.append((lost.question, DECLINED))
    rng.shuffle(shown)
    rng.shuffle(branches)
    return Pack(READ, notes(shown), tuple(branches))


def notes(passages: Sequence[str]) -> str:
    """How passages are shown: each its own paragraph, before the question."""
    return "Notes:\n\n" + "\n\n".join(passages) + "\n\nQuestion: "


def _windows(one: Passage, rng: random.Random) -> list[tuple[int, int]]:
    """Cut a passage into runs of one to four sentences."""
    cuts, at = [], 0
    while at < len(one.sentences):
        size = rng.choice((1, 2, 3, 3, 4))
        words = 0
        end = at
        while end < len(one.sentences) and end - at < size and words < 80:
            words += len(one.sentences[end].split())
            end += 1
        cuts.append((at, end))
        at = end
    return cuts


def _same(first: Asked, second: Asked) -> bool:
    """Whether both are answered by the same words of the same sentence."""
    return first.sentence == second.sentence and _words(first.key) == _words(second.key)


def _held(asked: Asked, shown: Sequence[str]) -> bool:
    return any(asked.key.lower() in text.lower() for text in shown)


def reworded(question: str, rng: random.Random) -> str:
    """The question with an opening, without a small word or two, or its main words alone."""
    words = question.rstrip("?").split()
    if len(words) < 4:
        return question
    draw = rng.random()
    if draw < 0.45:
        words = [w for w in words if w.lower() not in _SMALL or rng.random() < 0.7]
        return rng.choice(_OPENINGS) + " ".join(words) + rng.choice(("?", "", "?"))
    if draw < 0.7:
        kept = [w for w in words if w.lower() not in _SMALL]
        return " ".join(kept or words).lower()
    return rng.choice(_OPENINGS[3:]) + question[0].lower() + question[1:]


# --- writing ------------------------------------------------------------------------------------


def _writing(one: Passage, rng: random.Random) -> Pack:
    """The passage, and pairs about it as people asked them, in the document's grammar."""
    if rng.random() < 0.25:
        asked = rng.choice(one.asked)
        return Pack(WRITE, "", ((BACK.replace("{text}", asked.answer), asked.question),))
    spots = sorted({a.sentence for a in one.asked})
    first = rng.choice(spots)
    start = max(0, first - rng.randrange(2))
    end = min(len(one.sentences), start + rng.choice((2, 3, 4)))
    inside = [a for a in one.asked if start <= a.sentence < end]
    distinct = list({(a.sentence, tuple(_words(a.key))): a for a in inside}.values())
    count = min(len(distinct), rng.choice((1, 2, 3)))
    chosen = sorted(rng.sample(distinct, count), key=lambda a: a.sentence)
    text = " ".join(one.sentences[start:end])
    pairs = "\n\n".join(f"### Q\n{a.question}\n\n### A\n{a.answer}" for a in chosen)
    return Pack(WRITE, "", ((EXTRACT.replace("{n}", str(count)).replace("{text}", text), pairs),))


# --- sources ------------------------------------------------------------------------------------


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, by punctuation and a few abbreviations."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if _ABBREVIATION.search(text[start : match.start()]):
            continue
        found.append((start, match.start() + len(match.group().rstrip())))
        start = match.end()
    return [*found, (start, len(text))] if start < len(text) else found


def _xquad(path: Path) -> Iterator[Passage]:
    for number, article in enumerate(json.loads(path.read_text("utf-8"))["data"]):
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            spans = sentences(text)
            asked = []
            for qa in paragraph["qas"]:
                answer = qa["answers"][0]
                at = next(i for i, (_, end) in enumerate(spans) if answer["answer_start"] < end)
                asked.append(_asked(qa["question"], at, text[slice(*spans[at])], answer["text"]))
            yield Passage(f"x{number}", tuple(text[a:b] for a, b in spans), tuple(asked))


def _fairytales(path: Path) -> Iterator[Passage]:
    import zstandard

    with path.open("rb") as file:
        lines = zstandard.ZstdDecompressor().stream_reader(file).read().decode().splitlines()
    for story in map(json.loads, lines):
        by_section: dict[str, list[dict]] = defaultdict(list)
        for item in story["items"]:
            if item["explicit"] == "explicit" and len(item["sections"]) == 1:
                by_section[item["sections"][0]].append(item)
        for section, text in story["passages"].items():
            text = " ".join(text.split())
            kept = [text[a:b] for a, b in sentences(text)]
            asked = [one for item in by_section[section] if (one := _explicit(item, kept))]
            yield Passage(story["story"], tuple(kept), tuple(asked))


def _explicit(item: dict, kept: Sequence[str]) -> Asked | None:
    """The question with the sentence that holds every content word of an answer, if one does."""
    best: tuple[float, int, str] | None = None
    question = set(_words(item["q"]))
    for answer in item["a"]:
        wanted = {w for w in _words(answer) if w not in _SMALL}
        if not wanted:
            continue
        for at, sentence in enumerate(kept):
            held = set(_words(sentence))
            if wanted <= held:
                fit = len(question & held) / (len(question) or 1)
                if best is None or fit > best[0]:
                    best = (fit, at, answer)
    if best is None or best[0] < 0.2:
        return None
    return _asked(item["q"].strip(), best[1], kept[best[1]], best[2])


def _asked(question: str, at: int, sentence: str, span: str) -> Asked:
    span = span.strip()
    if len(sentence.split()) <= _LONGEST:
        answer = sentence
    else:
        answer = span[0].upper() + span[1:].rstrip(".") + "."
    return Asked(" ".join(question.split()), at, answer, span)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
