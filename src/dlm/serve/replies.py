"""Answers in the shapes of OpenAI's API: whole, or as chunks of a stream.

Pure. `dlm` is the field that is ours: which version and which state of the notes answered, the
line, and the passages.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlm.data.chat import Codec
from dlm.engine.running import Token
from dlm.serve.answering import Piece, Reply
from dlm.serve.asked import Asked


@dataclass(slots=True)
class Shape:
    """The shape of one response: of a conversation, or of a prompt that is continued."""

    asked: Asked
    reply: Reply
    id: str = field(init=False)
    created: int = field(init=False)

    def __post_init__(self) -> None:
        self.id = f"{'chatcmpl' if self.is_chat else 'cmpl'}-{secrets.token_hex(12)}"
        self.created = int(time.time())

    @property
    def is_chat(self) -> bool:
        return bool(self.asked.messages)

    def whole(
        self, texts: Sequence[str], tokens: Sequence[Sequence[Token]], ends: Sequence[str]
    ) -> dict[str, Any]:
        """The response, once every choice is over."""
        choices = []
        for index, (text, end) in enumerate(zip(texts, ends, strict=True)):
            choice: dict[str, Any] = {"index": index, "finish_reason": end}
            if self.is_chat:
                choice["message"] = {"role": "assistant", "content": text, "refusal": None}
            else:
                choice["text"] = self._echoed(index) + text
            choice["logprobs"] = self._logprobs(tokens[index])
            choices.append(choice)
        kind = "chat.completion" if self.is_chat else "text_completion"
        return self._head(kind) | {"choices": choices, "usage": self.usage(), "dlm": self.facts}

    def openings(self) -> Iterator[dict[str, Any]]:
        """The chunks that the choices begin with."""
        for index in range(self.asked.n * max(1, len(self.asked.prompts))):
            if self.is_chat:
                yield self._chunk(index, {"delta": {"role": "assistant", "content": ""}})
            elif self.asked.echo:
                yield self._chunk(index, {"text": self._echoed(index)})

    def piece(self, piece: Piece) -> dict[str, Any]:
        """The chunk of a piece; the last one of a choice says where the answer comes from."""
        said: dict[str, Any] = {"text": piece.text}
        if self.is_chat:
            said = {"delta": {"content": piece.text} if piece.end is None else {}}
        chunk = self._chunk(piece.choice, said, piece.end, piece.tokens)
        return chunk if piece.end is None else chunk | {"dlm": self.facts}

    def closing(self) -> dict[str, Any]:
        """The chunk after the last, with what was used."""
        kind = "chat.completion.chunk" if self.is_chat else "text_completion"
        return self._head(kind) | {"choices": [], "usage": self.usage(), "dlm": self.facts}

    def usage(self) -> dict[str, int]:
        """Tokens that were read and said."""
        read, said = self.reply.prompt_tokens, self.reply.said_tokens
        return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}

    @property
    def facts(self) -> dict[str, Any]:
        return self.reply.facts

    def _head(self, kind: str) -> dict[str, Any]:
        facts = self.facts
        print_ = "-".join(str(facts[name]) for name in ("version", "index") if facts[name])
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.asked.model,
            "system_fingerprint": print_ or "base",
        }

    def _chunk(
        self,
        index: int,
        said: dict[str, Any],
        end: str | None = None,
        tokens: Sequence[Token] = (),
    ) -> dict[str, Any]:
        kind = "chat.completion.chunk" if self.is_chat else "text_completion"
        choice = {"index": index, **said, "finish_reason": end, "logprobs": self._logprobs(tokens)}
        return self._head(kind) | {"choices": [choice]}

    def _echoed(self, index: int) -> str:
        if not self.asked.echo:
            return ""
        prompt = self.asked.prompts[index // self.asked.n]
        return prompt if isinstance(prompt, str) else self.reply.codec.decode(prompt)

    def _logprobs(self, tokens: Sequence[Token]) -> dict[str, Any] | None:
        if self.asked.others is None or not tokens:
            return None
        return (_chat_logprobs if self.is_chat else _text_logprobs)(self.reply.codec, tokens)


def _chat_logprobs(codec: Codec, tokens: Sequence[Token]) -> dict[str, Any]:
    def entry(id: int, logprob: float) -> dict[str, Any]:
        text = codec.decode([id], skip_special=False)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "replace"))}

    return {
        "content": [
            entry(one.id, one.logprob or 0.0)
            | {"top_logprobs": [entry(id, logprob) for id, logprob in one.others]}
            for one in tokens
        ],
        "refusal": None,
    }


def _text_logprobs(codec: Codec, tokens: Sequence[Token]) -> dict[str, Any]:
    texts = [codec.decode([one.id], skip_special=False) for one in tokens]
    offsets = [sum(map(len, texts[:at])) for at in range(len(texts))]
    others = [
        {codec.decode([id], skip_special=False): logprob for id, logprob in one.others}
        for one in tokens
    ]
    return {
        "tokens": texts,
        "token_logprobs": [one.logprob for one in tokens],
        "top_logprobs": others if any(others) else None,
        "text_offset": offsets,
    }
