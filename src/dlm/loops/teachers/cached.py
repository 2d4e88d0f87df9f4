"""A teacher that is asked nothing twice, and what asking it costs: calls, tokens, seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.errors import TeacherError
from dlm.loops.teachers.protocol import Teacher, answered
from dlm.loops.teachers.spec import LocalTeacher
from dlm.store.completions import add_completions, completion_key, find_completions
from dlm.store.database import Database
from dlm.working import Tell, untold

_CHARACTERS_A_TOKEN: Final = 4
_UNSYNCED: Final = 1.0  # seconds of answers that may be asked again after a power cut, not a kill
_SAMPLE: Final = 16  # requests, and new tokens of each, in the measurement


@dataclass(slots=True)
class Counts:
    """What a run asked, in requests; each of them may hold several completions.

    `asked` were put to the teacher and answered, `cached` answered from the store, `failed` put to
    it in vain, and `left_out` neither, because `max_calls` was reached or the teacher gave up.
    Characters, tokens (0 where unknown) and seconds are those of the asked ones. `notices` say what
    the teacher had to be asked without.
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
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"seconds": round(self.seconds, 2), "reasons": dict(self.reasons)}

    def __str__(self) -> str:
        """`24 asked in 12.0 s, 12 from the cache, 1 failed (why), 3 left out`."""
        parts = [f"{self.asked} asked in {self.seconds:.1f} s", f"{self.cached} from the cache"]
        if self.failed:
            reason, _ = self.reasons.most_common(1)[0]
            others = " and others" if len(self.reasons) > 1 else ""
            parts.append(f"{self.failed} failed ({reason}{others})")
        if self.left_out:
            parts.append(f"{self.left_out} left out")
        return "; ".join([", ".join(parts), *self.notices])


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
        self._synced_at = 0.0

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
        size = self._together or max(len(requests), 1)
        for start in range(0, len(requests), size):
            self._complete(requests[start : start + size], start, done)

    def answers(
        self, requests: Sequence[Request], tell: Tell = untold, *, needed: bool = True
    ) -> tuple[list[Sequence[str]], TeacherError | None]:
        """The completions of each request, none where there was no answer.

        The error of a teacher that could not go on is returned with what it gave before, and raised
        where that is nothing; where answers are `needed`, one that never answered counts as such.
        """
        found: list[Sequence[str]] = [()] * len(requests)
        count, cached_before = 0, self.counts.cached

        def show() -> None:
            # What comes from the store comes at once, and says nothing about the rest.
            cached = self.counts.cached - cached_before
            tell(f"asking {self.name}", count - cached, len(requests) - cached)

        def done(index: int, texts: Sequence[str]) -> None:
            nonlocal count
            count += 1
            found[index] = texts
            show()

        show()
        try:
            self.complete(requests, done)
            if needed:
                self.check()
        except TeacherError as error:
            if not any(found):
                raise
            return found, error
        return found, None

    def check(self) -> None:
        """Raise TeacherError if requests were put to the teacher and none was ever answered."""
        counts = self.counts
        if counts.failed and not counts.asked + counts.cached:
            of = "the only request" if counts.failed == 1 else f"none of {counts.failed} requests"
            verb = "did not answer" if counts.failed == 1 else "answered"
            raise TeacherError(
                f"{self.name} {verb} {of}: it {counts.reasons.most_common(1)[0][0]}",
                hint="no failure is kept as an answer: run this again to ask once more",
            )

    def _complete(self, requests: Sequence[Request], start: int, done: Done) -> None:
        """Answer the requests that stand at `start` and after."""
        keyed = self._keyed(requests)
        found = find_completions(self._database, keyed)
        if self._together and len(found) < len(keyed):
            found = {}

        def give(key: str, texts: Sequence[str]) -> None:
            for place in keyed[key]:
                done(start + place, texts)

        for key, texts in found.items():
            self.counts.cached += len(keyed[key])
            give(key, texts)
        missing = [key for key in keyed if key not in found]
        chosen = missing[: self.allowed(len(missing))]
        left = {key: len(keyed[key]) for key in missing}

        def keep(number: int, texts: Sequence[str]) -> None:
            key = chosen[number]
            request, places = requests[keyed[key][0]], left.pop(key, 0)
            texts = answered(texts, request)
            self._calls += 1
            if texts:
                self._keep(key, texts, last=not left)
                self._count(request, texts)
                self.counts.cached += places - 1
            else:
                self._failed(texts, places)
            give(key, texts)

        began = time.monotonic()
        try:
            if chosen:
                self.teacher.complete([requests[keyed[key][0]] for key in chosen], keep)
        finally:
            self.counts.seconds += time.monotonic() - began
            self.counts.left_out += sum(left.values())
            self.counts.notices = tuple(getattr(self.teacher, "notices", ()))

    def _keep(self, key: str, texts: Sequence[str], *, last: bool) -> None:
        """Store an answer; the disk is waited for once a second, as servers answer faster."""
        now = time.monotonic()
        durable = last or now - self._synced_at >= _UNSYNCED
        add_completions(self._database, key, self.name, texts, durable=durable)
        self._synced_at = now if durable else self._synced_at

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


@dataclass(frozen=True, slots=True)
class Estimate:
    """`tokens_in` and, at most, `tokens_out`; `seconds` at most, None where nothing is known.

    `basis` says in words where the figures come from.
    """

    calls: int
    cached: int
    left_out: int
    tokens_in: int
    tokens_out: int
    seconds: float | None
    basis: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """`12 calls (3 more in the cache), 1,204 tokens in, at most 3,072 out, at most 14 s; …`."""
        more = [f"{self.cached} more in the cache"] if self.cached else []
        more += [f"{self.left_out} left out by the limit"] if self.left_out else []
        calls = f"{self.calls} calls" + (f" ({', '.join(more)})" if more else "")
        tokens = f"{self.tokens_in:,} tokens in, at most {self.tokens_out:,} out"
        time_ = "" if self.seconds is None else f", at most {_spoken(self.seconds)}"
        return f"{calls}, {tokens}{time_}; {self.basis}"


def estimate(cached: Cached, requests: Sequence[Request]) -> Estimate:
    """What `cached.complete(requests)` would ask.

    A local teacher is loaded and measured on a short batch, which is neither kept nor counted.
    """
    missing = cached.missing(requests)
    asked = missing[: cached.allowed(len(missing))]
    teacher = cached.teacher
    tokens_out = sum(request.n * request.max_new_tokens for request in asked)
    seconds: float | None = None
    if isinstance(teacher, LocalTeacher):
        tokens_in = sum(teacher.prompt_tokens(request) for request in asked)
        basis = "counted by its own tokenizer"
        if asked:
            rate = _tokens_per_second(teacher, asked)
            seconds = tokens_out / rate
            basis += f", measured at {rate:.0f} tokens a second"
    else:
        characters = sum(len(request.system) + len(request.prompt) for request in asked)
        tokens_in = round(characters / _CHARACTERS_A_TOKEN)
        basis = f"tokens at {_CHARACTERS_A_TOKEN} characters each"
    return Estimate(
        calls=len(asked),
        cached=len(requests) - len(missing),
        left_out=len(missing) - len(asked),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        seconds=seconds,
        basis=basis,
    )


def _tokens_per_second(teacher: LocalTeacher, requests: Sequence[Request]) -> float:
    """New tokens a second, prompts included, over a short batch of the same requests."""
    sample = [replace(r, max_new_tokens=_SAMPLE) for r in requests[:_SAMPLE]]
    counted = 0

    def count(index: int, texts: Sequence[str]) -> None:
        nonlocal counted
        counted += len(texts) * _SAMPLE

    teacher.complete(sample[:1], lambda index, texts: None)  # loads the model
    began = time.monotonic()
    teacher.complete(sample, count)
    return max(counted, 1) / (time.monotonic() - began)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
