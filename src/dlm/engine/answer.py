"""Asking: which version answers, and one `Answerer` for it, whichever engine runs it.

Small bases answer through the numpy decoder, which starts in a fraction of the time that importing
torch takes; everything else through `Model`. Greedy answers are the same either way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dlm.base_models import BaseModel
from dlm.base_models.folder import fingerprint
from dlm.data.chat import Codec, Message
from dlm.doc.document import Document
from dlm.engine.text_stream import TextStream
from dlm.errors import BaseModelError, StoreError
from dlm.store.records import Version
from dlm.store.store import Store


@dataclass(frozen=True, slots=True)
class Sampling:
    """`max_tokens` new tokens at most; greedy at temperature 0."""

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The text, and whether it ended by itself or was cut at `max_tokens`."""

    text: str
    prompt_tokens: int
    tokens: int
    finished: bool


class _Engine(Protocol):
    def __call__(
        self, ids: list[int], sampling: Sampling, on_token: Callable[[int], None] | None
    ) -> list[int]: ...


class Answerer:
    """Answers chat messages. Build one with `open_answerer`."""

    def __init__(self, codec: Codec, engine: _Engine, name: str) -> None:
        self._codec = codec
        self._engine = engine
        self.engine_name = name

    def answer(
        self,
        messages: list[Message],
        sampling: Sampling,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Answer the last message; `on_text` receives the text piece by piece as it is produced."""
        prompt = self._codec.prompt_ids(messages)
        stream = TextStream(self._codec.decode, strip=True)

        def tell(text: str) -> None:
            if on_text and text:
                on_text(text)

        put = (lambda token: tell(stream.put(token))) if on_text else None
        ids = self._engine(prompt, sampling, put)
        tell(stream.finish())
        return Answer(
            self._codec.decode(ids).strip(), len(prompt), len(ids), len(ids) < sampling.max_tokens
        )


def open_answerer(
    base: BaseModel, folder: Path, adapter: Path | None, *, system_prompt: str | None = None
) -> Answerer:
    """Load the base in `folder`, with the adapter if one is given."""
    from dlm.engine.native import NativeEngine

    codec = Codec.load(folder, system_prompt=system_prompt)
    if NativeEngine.supports(folder, adapter):
        return Answerer(codec, _native(folder, adapter, codec), "numpy")
    return Answerer(codec, _torch(base, folder, adapter, codec), "torch")


def choose_version(store: Store, document: Document, name: str | None) -> Version:
    """The version called `name`, else the current one; StoreError when there is none."""
    if name is not None:
        return store.version(name)
    current = store.current()
    if current is None:
        raise not_trained(document)
    return current


def check_base(store: Store, version: Version, folder: Path, key: str) -> str:
    """The fingerprint of the base in `folder`; BaseModelError when `version` is for another."""
    found = fingerprint(folder)
    run = store.run_of(version)
    if run.base_fingerprint != found:
        raise BaseModelError(
            f"{version.name} was trained on {run.base_key}, and {key} here is another model",
            hint="restore base_model in the frontmatter, or `dlm train --fresh` on the new base",
        )
    return found


def not_trained(document: Document) -> StoreError:
    """The sentence for a document without a version."""
    return StoreError(
        f"{document.path} is not trained yet",
        hint=f"run `dlm train {document.path}`, or ask the bare base with --base-only",
    )


def _native(folder: Path, adapter: Path | None, codec: Codec) -> _Engine:
    from dlm.engine.native import NativeEngine

    engine = NativeEngine.load(folder, adapter)

    def run(
        ids: list[int], sampling: Sampling, on_token: Callable[[int], None] | None
    ) -> list[int]:
        return engine.generate(
            ids,
            max_new_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            stop_ids=codec.stop_ids,
            on_token=on_token,
        )

    return run


def _torch(base: BaseModel, folder: Path, adapter: Path | None, codec: Codec) -> _Engine:
    from dlm.engine.decoding import generate
    from dlm.engine.model import Model
    from dlm.hardware import detect, plan_answers

    hardware = plan_answers(detect(), base)
    model = Model.load(folder, hardware, adapter=adapter)

    def run(
        ids: list[int], sampling: Sampling, on_token: Callable[[int], None] | None
    ) -> list[int]:
        return generate(
            model,
            [ids],
            max_new_tokens=sampling.max_tokens,
            stop_ids=codec.stop_ids,
            pad_id=codec.pad_id,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            on_token=on_token,
        )[0]

    return run
