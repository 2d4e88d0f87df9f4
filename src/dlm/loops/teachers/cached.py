"""A teacher that is asked nothing twice: answers come from the store, or go there as they come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.loops.teachers.protocol import Teacher
from dlm.store.completions import add_completions, completion_key, find_completions
from dlm.store.database import Database


@dataclass(slots=True)
class Counts:
    """What a run asked, in requests; each of them may hold several completions.

    `asked` were put to the teacher and answered, `cached` answered from the store, `failed` put to
    it in vain, and `left_out` neither, because `max_calls` was reached or the teacher gave up.
    Characters, tokens (0 where unknown) and seconds are those of the asked ones.
    """

    asked: int = 0
    cached: int = 0
    failed: int = 0
    left_out: int = 0
    completions: int = 0
    prompt_characters: int = 0
    completion_characters: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        names = [name for name in self.__slots__ if name not in ("seconds", "reasons")]
        facts = {name: getattr(self, name) for name in names}
        return facts | {"seconds": round(self.seconds, 2), "reasons": dict(self.reasons)}

    def __str__(self) -> str:
        """`24 asked in 12.0 s, 12 from the cache, 1 failed (why), 3 left out`."""
        parts = [f"{self.asked} asked in {self.seconds:.1f} s", f"{self.cached} from the cache"]
        if self.failed:
            reason, _ = self.reasons.most_common(1)[0]
            others = " and others" if len(self.reasons) > 1 else ""
            parts.append(f"{self.failed} failed ({reason}{others})")
        if self.left_out:
            parts.append(f"{self.left_out} left out")
        return ", ".join(parts)


class Cached:
    """Wraps a teacher; is one itself. `counts` grow with every use.

    At most `max_calls` requests are put to the teacher in all; those beyond get no answer. With
    `together`, so many requests at a time are asked and kept as one: what a model on this machine
    says depends, by rounding, on what is asked beside it, so a part must not be asked alone later.
    """

    def __init__(
        self,
        teacher: Teacher,
        database: Database,
        *,
        max_calls: int | None = None,
        together: int | None = None,
    ):
        self.teacher = teacher
        self.counts = Counts()
        self._database, self._max_calls, self._together = database, max_calls, together
        self._calls = 0

    @property
    def name(self) -> str:
        """The name of the teacher behind."""
        return self.teacher.name

    @property
    def identity(self) -> str:
        """The identity of the teacher behind."""
        return self.teacher.identity

    def missing(self, requests: Sequence[Request]) -> list[Request]:
        """Those that would be put to the teacher, each once, before `max_calls` is looked at."""
        keyed = self._keyed(requests)
        found = find_completions(self._database, keyed)
        return [requests[places[0]] for key, places in keyed.items() if key not in found]

    def allowed(self, calls: int) -> int:
        """How many of `calls` may still be made."""
        return calls if self._max_calls is None else min(calls, self._max_calls - self._calls)

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Answer from the store, then ask for the rest; each answer is stored before it is given.

        Equal requests are asked once. What cannot be answered is given as `Refused` and not kept.
        """
        if self._together is not None:
            for start in range(0, len(requests), self._together):
                self._complete_together(requests, start, start + self._together, done)
            return
        keyed = self._keyed(requests)
        found = find_completions(self._database, keyed)
        for key, texts in found.items():
            self.counts.cached += len(keyed[key])
            _give(done, keyed[key], texts)
        missing = [key for key in keyed if key not in found]
        chosen = missing[: self.allowed(len(missing))]
        left = {key: len(keyed[key]) for key in missing}

        def keep(number: int, texts: Sequence[str]) -> None:
            key = chosen[number]
            places = keyed[key]
            self._calls += 1
            if texts:
                add_completions(self._database, key, self.name, texts)
                self._count(requests[places[0]], texts)
                self.counts.cached += len(places) - 1
            else:
                self._failed(texts, len(places))
            left.pop(key, None)
            _give(done, places, texts)

        began = time.monotonic()
        try:
            if chosen:
                self.teacher.complete([requests[keyed[key][0]] for key in chosen], keep)
        finally:
            self.counts.seconds += time.monotonic() - began
            self.counts.left_out += sum(left.values())

    def _complete_together(
        self, requests: Sequence[Request], start: int, end: int, done: Done
    ) -> None:
        """Answer these requests from the store if it has them all, else ask all of them."""
        keyed = self._keyed(requests[start:end])
        found = find_completions(self._database, keyed)
        if len(found) == len(keyed):
            for key, texts in found.items():
                self.counts.cached += len(keyed[key])
                _give(done, [start + place for place in keyed[key]], texts)
            return
        chosen = list(keyed)
        answers: list[Sequence[str]] = [()] * len(chosen)
        began = time.monotonic()
        self.teacher.complete(
            [requests[start + keyed[key][0]] for key in chosen], answers.__setitem__
        )
        self.counts.seconds += time.monotonic() - began
        with self._database.transaction():
            for key, answer in zip(chosen, answers, strict=True):
                if answer:
                    add_completions(self._database, key, self.name, answer)
        for key, answer in zip(chosen, answers, strict=True):
            places = [start + place for place in keyed[key]]
            self._calls += 1
            if answer:
                self._count(requests[places[0]], answer)
            else:
                self._failed(answer, len(places))
            _give(done, places, answer)

    def _failed(self, texts: Sequence[str], places: int) -> None:
        self.counts.failed += places
        reason = texts.reason if isinstance(texts, Refused) else "gave no completion"
        self.counts.reasons[reason] += places

    def _keyed(self, requests: Sequence[Request]) -> dict[str, list[int]]:
        """The places of each different request, by its key."""
        identity = self.identity
        keyed: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            keyed.setdefault(completion_key(identity, request), []).append(index)
        return keyed

    def _count(self, request: Request, texts: Sequence[str]) -> None:
        counts = self.counts
        counts.asked += 1
        counts.completions += len(texts)
        counts.prompt_characters += len(request.system) + len(request.prompt)
        counts.completion_characters += sum(len(text) for text in texts)
        counts.completion_tokens += sum(t.tokens for t in texts if isinstance(t, Completion))


def _give(done: Done, places: Sequence[int], texts: Sequence[str]) -> None:
    for place in places:
        done(place, texts)
