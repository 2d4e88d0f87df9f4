"""Models in memory: one that completes requests and scores texts, and one that rewards answers.

Loaded when first needed, once. Speaks in text; knows no loops and prints nothing.
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from dlm.base_models import BaseModel, base_of, resolve
from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import with_facts
from dlm.data.chat import Codec, Encoded, Message
from dlm.data.completion import Completion, Done, Refused, Request
from dlm.doc.document import Document
from dlm.engine.answer import check_base, choose_version, not_trained
from dlm.engine.decoding import Job, Tail, decode
from dlm.engine.loading import load_classifier
from dlm.engine.model import Model, Score, part_length, score_in_parts
from dlm.errors import DlmError
from dlm.hardware import detect, plan_answers
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.working import Tell, untold

__all__ = ["Resident", "RewardModel", "Score", "Scored"]

_REWARDS_AT_ONCE = 8  # rows


@dataclass(frozen=True, slots=True)
class Scored:
    """A text to score as the answer to `messages`, or for None as a text that nobody asked for."""

    messages: Sequence[Message] | None
    target: str


class Resident:
    """A context manager over one loaded model; for use by one thread.

    `version` is the adapter's, None where there is only the base.
    """

    def __init__(
        self,
        base: BaseModel,
        folder: Path,
        *,
        version: Version | None = None,
        document: Document | None = None,
        thinking: bool = False,
        base_fingerprint: str | None = None,
    ) -> None:
        self.base, self.folder, self.version = base, folder, version
        self.thinking = thinking
        self._document = document
        self._fingerprint = base_fingerprint

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, document: Document, *, version: str | None = None, thinking: bool = False
    ) -> Iterator[Resident]:
        """The base of a document with its current version, or the one called `version`.

        A document that was never trained gives the base alone. `thinking` lets thinking models
        reason before they complete. Raises StoreError, CorruptStore or BaseModelError.
        """
        base = base_of(document)
        folder = local_folder(base)
        id_, key = document.frontmatter.dlm_id, document.frontmatter.base_model
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(Store.open(id_, base_model=key))
            chosen = found = None
            if version is not None or store.current() is not None:
                chosen = choose_version(store, document, version)
                found = check_base(store, chosen, folder, base.key)
                store.verify(chosen)
                # So that it is not pruned before it is loaded.
                stack.enter_context(store.in_use(chosen))
            store.close()
            resident = cls(
                base,
                folder,
                version=chosen,
                document=document,
                thinking=thinking,
                base_fingerprint=found,
            )
            stack.callback(resident.close)
            yield resident

    @classmethod
    @contextlib.contextmanager
    def open_base(
        cls, key: str | Path, *, thinking: bool = False, download: bool = True
    ) -> Iterator[Resident]:
        """Any base model, without an adapter; BaseModelError when it cannot be had."""
        base = resolve(key)
        folder = local_folder(base, download=download)
        resident = cls(with_facts(base, folder), folder, thinking=thinking)
        try:
            yield resident
        finally:
            resident.close()

    @cached_property
    def base_fingerprint(self) -> str:
        """What makes the base the same wherever its files lie."""
        return self._fingerprint or fingerprint(self.folder)

    @cached_property
    def model(self) -> Model:
        """The loaded model; reading this loads it."""
        plan = plan_answers(detect(), self.base)
        adapter = None if self.version is None else self.version.path
        return Model.load(self.folder, plan, adapter=adapter)

    def complete(self, requests: Sequence[Request], done: Done, *, adapter: bool) -> None:
        """Answer every request, with the adapter or under the bare base, in batches.

        `done` gets the index of each request and its completions as soon as they are there, or a
        `Refused` for a prompt that the model cannot read.
        """
        self._require(adapter)
        places: list[int] = []
        jobs: list[Job] = []
        for index, request in enumerate(requests):
            ids = self._prompt_ids(request)
            if isinstance(ids, Refused):
                done(index, ids)
            else:
                places.append(index)
                jobs.append(_job(request, ids, self.codec.context_length))

        def finish(number: int, tails: list[Tail]) -> None:
            request = requests[places[number]]
            done(places[number], [self._completion(request, tail) for tail in tails])

        if jobs:
            with contextlib.nullcontext() if adapter else self.model.base_only():
                decode(
                    self.model,
                    jobs,
                    stop_ids=self.codec.stop_ids,
                    pad_id=self.codec.pad_id,
                    done=finish,
                )

    def prompt_tokens(self, request: Request) -> int:
        """How many tokens a request takes before its answer."""
        return len(self.codec.prompt_ids(_messages(request)))

    def score(self, items: Sequence[Scored], *, adapter: bool, tell: Tell = untold) -> list[Score]:
        """Mean loss per token of each target, in nats; its end-of-turn is not counted.

        A target that is empty, or too long for the context together with what stands before it,
        scores NaN over 0 tokens.
        """
        self._require(adapter)
        scores = [Score(math.nan, 0, False)] * len(items)
        rows = {index: row for index, item in enumerate(items) if (row := self._row(item))}
        if not rows:
            return scores
        most = part_length(self.model)
        long = [index for index, row in rows.items() if sum(row.supervised) > most]
        short = [index for index in rows if index not in set(long)]
        with contextlib.nullcontext() if adapter else self.model.base_only():
            brief = [rows[index] for index in short]
            found = self.model.score(brief, pad_id=self._chat.pad_id, tell=tell)
            for index in long:
                scores[index] = score_in_parts(self.model, rows[index], most)
        for index, score in zip(short, found, strict=True):
            scores[index] = score
        return scores

    @cached_property
    def codec(self) -> Codec:
        """How prompts are read: with no system message but the request's own."""
        return Codec.load(self.folder, thinking=self.thinking)

    def close(self) -> None:
        """Let go of the model's memory; reading `model` again would load it anew."""
        model = self.__dict__.pop("model", None)
        if model is not None:
            torch, on_gpu = model.torch, model.plan.device == "cuda"
            del model
            gc.collect()
            if on_gpu:
                torch.cuda.empty_cache()

    @cached_property
    def _chat(self) -> Codec:
        """How conversations are read: as `dlm prompt` opens them, and as training did."""
        prompt = self._document.frontmatter.system_prompt if self._document else None
        return Codec.load(self.folder, system_prompt=prompt)

    def _require(self, adapter: bool) -> None:
        if adapter and self.version is None:
            if self._document is None:
                raise ValueError("this model was opened without an adapter")
            raise not_trained(self._document)

    def _prompt_ids(self, request: Request) -> list[int] | Refused:
        try:
            ids = self.codec.prompt_ids(_messages(request))
        except DlmError as error:
            return Refused(error.message)
        if len(ids) >= self.codec.context_length:
            return Refused(
                f"the prompt has {len(ids)} tokens and {self.base.key} reads at most "
                f"{self.codec.context_length}, its answer included"
            )
        return ids

    def _completion(self, request: Request, tail: Tail) -> Completion:
        thinks = self.thinking and _opens_thought(self.codec.prompt_text(_messages(request)))
        return Completion.of(
            # A reasoning tag may be a special token, which plain decoding would leave out.
            self.codec.decode(tail.ids, skip_special=not self.thinking),
            thinks=thinks,
            finished=tail.finished,
            tokens=len(tail.ids),
        )

    def _row(self, item: Scored) -> Encoded | None:
        if not item.target.strip():
            return None
        if item.messages is None:
            row = self._unasked(item.target)
        else:
            row = self._chat.reply(item.messages, item.target, ends=False)
        return row if len(row.ids) <= self._chat.context_length else None

    def _unasked(self, target: str) -> Encoded:
        row = self._chat.prose(target.strip(), ends=False)
        end = self._chat.end_of_text_id
        if row.supervised[0] and end is not None:
            # Texts follow each other in pretraining: what comes before the first token is an end.
            return Encoded([end, *row.ids], [False, *row.supervised])
        return row


class RewardModel:
    """A sequence classifier that gives a conversation one number. Make one with `load`."""

    def __init__(self, network: Any, codec: Codec, device: str, torch: Any) -> None:
        self._network, self._codec, self._device, self._torch = network, codec, device, torch

    @classmethod
    def load(cls, key: str | Path) -> RewardModel:
        """Load a classifier by name or folder; BaseModelError when it cannot be had, or is none."""
        base = resolve(key)
        folder = local_folder(base, writes=False)
        plan = plan_answers(detect(), with_facts(base, folder))
        codec = Codec.load(folder)
        network, torch = load_classifier(folder, plan, pad_id=codec.pad_id)
        return cls(network, codec, plan.device, torch)

    def rewards(
        self, rows: Sequence[tuple[Sequence[Message], str]], tell: Tell = untold
    ) -> list[float]:
        """The reward of each answer to its messages; NaN where both are too long to be read."""
        ids = [self._codec.reply(messages, answer).ids for messages, answer in rows]
        found = [math.nan] * len(rows)
        fitting = [i for i, row in enumerate(ids) if len(row) <= self._codec.context_length]
        fitting.sort(key=lambda i: len(ids[i]))
        for start in range(0, len(fitting), _REWARDS_AT_ONCE):
            tell("scoring", start, len(fitting))
            batch = fitting[start : start + _REWARDS_AT_ONCE]
            for place, reward in zip(batch, self._batch([ids[i] for i in batch]), strict=True):
                found[place] = reward
        tell("scoring", len(fitting), len(fitting))
        return found

    def _batch(self, rows: list[list[int]]) -> list[float]:
        torch, pad = self._torch, self._codec.pad_id
        width = max(map(len, rows))
        # Padded on the right: a classifier reads its last token that is no padding.
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            logits = self._network(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            ).logits.float()  # (B, 1)
        return [float(value) for value in logits[:, 0].tolist()]


def _messages(request: Request) -> list[Message]:
    system: list[Message] = [{"role": "system", "content": request.system}]
    return [*(system if request.system else []), {"role": "user", "content": request.prompt}]


def _job(request: Request, ids: list[int], context_length: int) -> Job:
    room = context_length - len(ids)
    # The prompt is part of the key: equal seeds in different requests are still different draws.
    told = f"{request.system}\0{request.prompt}".encode("utf-8", "replace")
    return Job(
        ids,
        request.n,
        min(request.max_new_tokens, room),
        request.temperature,
        request.top_p,
        f"{request.seed}:{sha256(told).hexdigest()}",
    )


def _opens_thought(prompt: str) -> bool:
    return prompt.rstrip().endswith("<think>")
