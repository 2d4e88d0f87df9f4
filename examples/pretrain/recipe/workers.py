"""What every process of the curriculum does: documents in, tokens out.

The work is cut in the same pieces whatever the number of processes, and each piece has a seed of
its own, so that the result does not depend on who did what.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe.chat_format import Tokens, encode, encode_plain
from recipe.corpus import Text, plain_text
from recipe.echo import echo
from recipe.english import Lexicon
from recipe.lessons import lessons, read_for_facts
from recipe.shards import Packed, packed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIECE = 200  # documents
_ECHOED = 0.35  # of the plain documents, a part of each


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of the corpus and what is to be made of it."""

    number: int
    texts: tuple[Text, ...]
    passes: int
    seed: int


@dataclass(frozen=True, slots=True)
class Made:
    """Documents of the streams, and conversations with the task of each."""

    plain: list[Packed]
    echo: list[Packed]
    chat: list[tuple[str, Packed]]


def pieces(texts: Sequence[Text], passes: int, seed: int) -> list[Job]:
    starts = range(0, len(texts), PIECE)
    cut = (tuple(texts[start : start + PIECE]) for start in starts)
    return [Job(number, piece, passes, seed) for number, piece in enumerate(cut)]


@contextmanager
def process_map(workers: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """`map` over one process or several; what it is given has to be picklable."""
    if workers == 1:
        yield map
        return
    # Not forked: the tokenizer has threads, and a fork would copy their locks.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield partial(pool.map, chunksize=1)


def count_words(job: Job) -> Lexicon:
    return Lexicon.of(text.text for text in job.texts if text.kind == "prose")


def make(job: Job, tokenizer_folder: Path, lexicon: Lexicon, longest: int) -> Made:
    """Tokenise a piece, and all conversations of it that are at most `longest` tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    texts = [running for text in job.texts if (running := plain_text(text))]
    plain = encode_plain(tokenizer, texts)
    rng = random.Random(f"{job.seed}/{job.number}/echo")
    lengths = (rng.choice([128, 256, 512]) for _ in plain)
    echoed = [
        echo(one.ids[1:-1], rng, min(length, longest - 2))
        for one, length in zip(plain, lengths, strict=True)
        if len(one.ids) > 130 and rng.random() < _ECHOED
    ]
    chat = [
        (task, packed(one))
        for task, one in _conversations(job, tokenizer, lexicon)
        if len(one.ids) <= longest
    ]
    return Made([packed(one) for one in plain], [packed(one) for one in echoed], chat)


def _conversations(
    job: Job, tokenizer: Tokenizer, lexicon: Lexicon
) -> Iterator[tuple[str, Tokens]]:
    draws = random.Random(f"{job.seed}/{job.number}/passages")
    documents = [read_for_facts(text, lexicon, draws) for text in job.texts]
    for number in range(job.passes):
        rng = random.Random(f"{job.seed}/{job.number}/{number}")
        made = list(lessons(documents, lexicon, rng))
        for one, tokens in zip(made, encode(tokenizer, made), strict=True):
            yield one.task, tokens
