"""What answers a request: the notes quoted, or rows of the model, as pieces of text.

Notes are looked up in one thread, so that they are read one question at a time; rows are heard in
the event loop. Knows no HTTP and no shape of a response.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar

from dlm.data.chat import Codec, Message
from dlm.engine.batcher import QueueFull
from dlm.engine.decoding import Job, digest
from dlm.engine.open_book import OpenAnswer, messages, model_alone, quote_notes, read_out
from dlm.engine.running import Ended, Live, Token
from dlm.engine.text_stream import TextStream, cut_at
from dlm.errors import BaseModelError
from dlm.index import Found, Index
from dlm.serve.asked import Asked
from dlm.serve.refusals import Refused
from dlm.serve.shelf import Shelf, Speaker

MOST_LOOKUPS: Final = 256  # questions to the notes that may wait
LONGEST_QUESTION: Final = 8000  # characters that are looked up in the notes
_ANSWER_TOKENS: Final = 512  # where a request sets no limit
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Piece:
    """More text of a choice, with its tokens where logprobs are wanted; `end` is why it is over."""

    choice: int
    text: str = ""
    tokens: tuple[Token, ...] = ()
    end: str | None = None


@dataclass(slots=True)
class Reply:
    """An answer under way: its pieces, and what is known when the last one has come.

    `facts` is what the extra field says of where it comes from.
    """

    facts: dict[str, Any]
    codec: Codec
    prompt_tokens: int
    said_tokens: int = 0
    pieces: AsyncIterator[Piece] = field(init=False)


class Desk:
    """Answers requests from a shelf; belongs to one event loop."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.looking_up = 0
        self._thread = ThreadPoolExecutor(1, "dlm-desk")

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def at_desk(self, act: Callable[..., _T], *arguments: Any) -> _T:
        """`act` in the thread that reads the disk; Refused when too much waits for it."""
        if self.looking_up >= MOST_LOOKUPS:
            raise busy(1)
        self.looking_up += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)
        finally:
            self.looking_up -= 1

    @contextlib.asynccontextmanager
    async def reply(self, asked: Asked) -> AsyncIterator[Reply]:
        """The answer to a request; leaving the context ends whatever of it is under way."""
        speaker, found = await self.at_desk(self._look_up, asked)
        if isinstance(found, OpenAnswer):
            yield _quoted(asked, speaker, found)
            return
        if speaker.version is None and not speaker.bare:
            name = speaker.book.name
            raise Refused(
                400 if asked.temperature > 0 else 404,
                f"{name} is not trained yet, and only a trained model can answer this; "
                f"{name}@base asks the bare base",
                param="temperature" if asked.temperature > 0 else "model",
                code="not_trained",
            )
        async with self.shelf.adapter(speaker) as adapter:
            prompts = await self.at_desk(_prompts, asked, speaker, found)
            async with _rows(asked, speaker, adapter, prompts) as reply:
                if found is not None:
                    reply.pieces = _read(reply, reply.pieces, speaker, found)
                yield reply

    def _look_up(self, asked: Asked) -> tuple[Speaker, OpenAnswer | tuple[Found, ...] | None]:
        """Who answers, and the notes: quoted, passages to be read, or None for the model alone."""
        speaker = self.shelf.find(asked.model)
        notes, question = speaker.notes, asked.question
        if notes is None or question is None:
            return speaker, None
        passages = notes.index.passages
        if model_alone(
            notes.document, lambda: passages, closed=False, temperature=asked.temperature
        ):
            return speaker, None
        if len(question) > LONGEST_QUESTION:
            raise Refused(
                400,
                f"a question to the notes has at most {LONGEST_QUESTION} characters; "
                f"{speaker.book.name}:closed reads what its base can",
                param="messages",
                code="context_length_exceeded",
            )
        if notes.are_read:
            return speaker, tuple(notes.index.search(question))
        if asked.others is not None:
            raise Refused(
                400,
                "what is quoted from the notes has no logprobs; "
                f"{speaker.book.name}:closed asks the model alone",
                param="logprobs",
                code="unsupported_value",
            )
        return speaker, quote_notes(notes.index, question)


def busy(seconds: int) -> Refused:
    """Too much waits already; `seconds` says when to try again."""
    headers = {"Retry-After": str(seconds)}
    message = "too many requests wait already; try again in a moment"
    return Refused(429, message, code="rate_limit_exceeded", headers=headers)


def _quoted(asked: Asked, speaker: Speaker, answer: OpenAnswer) -> Reply:
    """The quote as the only piece of each choice, within the limits that the request sets."""
    codec = speaker.book.codec
    text, stopped = cut_at(answer.text, asked.stop)
    text = text.strip()
    ids = codec.encode(text)
    cut = asked.max_tokens is not None and len(ids) > asked.max_tokens
    if cut:
        ids = ids[: asked.max_tokens]
        text = codec.decode(ids)
    end = "length" if cut and not stopped else "stop"

    async def pieces() -> AsyncIterator[Piece]:
        for choice in range(asked.n):
            yield Piece(choice, text)
            yield Piece(choice, end=end)

    read = len(codec.encode(asked.question or ""))
    reply = Reply(_open_facts(speaker, answer), codec, read, len(ids) * asked.n)
    reply.pieces = pieces()
    return reply


async def _read(
    reply: Reply, pieces: AsyncIterator[Piece], speaker: Speaker, found: tuple[Found, ...]
) -> AsyncIterator[Piece]:
    """What the model reads out of the passages; where it stands is known with the last piece."""
    texts: dict[int, str] = {}
    async for piece in pieces:
        texts[piece.choice] = texts.get(piece.choice, "") + piece.text
        if piece.end is not None:
            reply.facts |= _open_facts(speaker, read_out(found, texts[piece.choice]))
        yield piece


def _open_facts(speaker: Speaker, answer: OpenAnswer) -> dict[str, Any]:
    notes = speaker.notes
    assert notes is not None
    return _facts(speaker) | {
        "answered_by": "reading" if notes.are_read else "notes",
        "version": notes.version,
        "index": _state(notes.index, notes.document.sha256),
        "declined": answer.declined,
        "line": answer.source.line if answer.source else None,
        "file": (answer.source.passage.file or None) if answer.source else None,
        "trained": notes.trained(answer),
        "passages": [
            {
                "line": one.passage.line,
                "file": one.passage.file or None,
                "text": one.passage.text,
                "score": round(one.score, 3),
            }
            for one in answer.passages
        ],
    }


@lru_cache(maxsize=32)
def _state(index: Index, document: str) -> str:
    """What tells one state of the notes from another: the document, and the files beside it."""
    state = hashlib.sha256(document.encode())
    for passage in index.passages:
        if passage.file:
            state.update(f"{passage.file}\0{passage.text}\0".encode("utf-8", "replace"))
    return state.hexdigest()[:12]


def _facts(speaker: Speaker) -> dict[str, Any]:
    version = None if speaker.bare or speaker.version is None else speaker.version.name
    return {
        "document": speaker.book.name,
        "base": speaker.book.base.batcher.base.key,
        "answered_by": "model",
        "version": version,
        "index": None,
    }


def _prompts(asked: Asked, speaker: Speaker, found: tuple[Found, ...] | None) -> list[list[int]]:
    """The token ids of every prompt; Refused for one that leaves no room to answer."""
    codec = speaker.book.base.codec if speaker.bare and not asked.messages else speaker.book.codec
    try:
        if found is not None:
            texts = [one.passage.text for one in found]
            prompts = [codec.prompt_ids(messages(asked.question or "", texts))]
        elif asked.messages:
            prompts = [codec.prompt_ids(list[Message](asked.messages))]
        else:
            prompts = [_raw(codec, prompt) for prompt in asked.prompts]
    except BaseModelError as error:  # the template refuses an order of turns
        raise Refused(400, str(error), param="messages", code="invalid_value") from None
    for ids in prompts:
        if len(ids) >= codec.context_length:
            raise Refused(
                400,
                f"the prompt has {len(ids)} tokens, and {speaker.book.base.batcher.base.key} "
                f"reads at most {codec.context_length}, its answer included",
                param="messages" if asked.messages else "prompt",
                code="context_length_exceeded",
            )
    return prompts


def _raw(codec: Codec, prompt: str | tuple[int, ...]) -> list[int]:
    if isinstance(prompt, str):
        ids: list[int] = codec.prose(prompt, ends=False).ids
        return ids or [codec.end_of_text_id or 0]
    if not all(0 <= token < codec.vocabulary for token in prompt):
        message = f"prompt holds a token that is none of the {codec.vocabulary} there are"
        raise Refused(400, message, param="prompt", code="invalid_value")
    return list(prompt)


@dataclass(slots=True)
class _Mailbox:
    """Events of rows, from the model's thread into the event loop."""

    loop: asyncio.AbstractEventLoop
    events: deque[tuple[int, Token | Ended]] = field(default_factory=deque)
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, choice: int, event: Token | Ended) -> None:
        self.events.append((choice, event))
        if (
            len(self.events) == 1
        ):  # asked after, or what is taken out meanwhile would leave it unheard
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(self.rung.set)

    async def take(self) -> list[tuple[int, Token | Ended]]:
        """All that has come, once something has."""
        await self.rung.wait()
        self.rung.clear()
        found = []
        while self.events:
            found.append(self.events.popleft())
        return found


@contextlib.asynccontextmanager
async def _rows(
    asked: Asked, speaker: Speaker, adapter: str | None, prompts: Sequence[Sequence[int]]
) -> AsyncIterator[Reply]:
    """The rows of a request, handed to the model; what is left of them is cancelled at the end."""
    shared, codec = speaker.book.base, speaker.book.codec
    box = _Mailbox(asyncio.get_running_loop())
    seed = secrets.randbits(48) if asked.seed is None else asked.seed
    rows: list[Live] = []
    for ids in prompts:
        room = min(codec.context_length - len(ids), asked.max_tokens or _ANSWER_TOKENS)
        job = Job(ids, 1, room, asked.temperature, asked.top_p, f"{seed}:{digest(ids)}")
        for number in range(asked.n):
            choice = len(rows)
            hear = _hearer(box, choice)
            rows.append(Live(job, number, adapter, codec.stop_ids, hear, asked.others))
    try:
        shared.batcher.submit(rows)
    except QueueFull:
        raise busy(1 + shared.batcher.waiting // 32) from None
    reply = Reply(_facts(speaker), codec, sum(map(len, prompts)))
    reply.pieces = _heard(asked, reply, rows, box)
    try:
        yield reply
    finally:
        for row in rows:
            row.cancelled = True


def _hearer(box: _Mailbox, choice: int) -> Callable[[Token | Ended], None]:
    return lambda event: box.put(choice, event)


async def _heard(
    asked: Asked, reply: Reply, rows: Sequence[Live], box: _Mailbox
) -> AsyncIterator[Piece]:
    """The pieces of every row as they come, until all are over."""
    strip = bool(asked.messages)
    streams = [TextStream(reply.codec.decode, asked.stop, strip=strip) for _ in rows]
    held: list[list[Token]] = [[] for _ in rows]
    left = set(range(len(rows)))
    while left:
        said: dict[int, str] = {}
        ended: dict[int, str] = {}
        for choice, event in await box.take():
            if choice not in left or choice in ended:
                continue
            if isinstance(event, Token):
                reply.said_tokens += 1
                said[choice] = said.get(choice, "") + streams[choice].put(event.id)
                if event.logprob is not None:
                    held[choice].append(event)
                if streams[choice].stopped:
                    rows[choice].cancelled = True
                    ended[choice] = "stop"
            elif event.error is not None:
                raise event.error
            else:
                said[choice] = said.get(choice, "") + streams[choice].finish()
                ended[choice] = "stop" if event.stopped or streams[choice].stopped else "length"
        for choice, text in said.items():
            if text or (choice in ended and held[choice]):
                yield Piece(choice, text, tuple(held[choice]))
                held[choice].clear()
        for choice, why in ended.items():
            yield Piece(choice, end=why)
            left.discard(choice)
