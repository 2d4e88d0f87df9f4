"""From what the owner writes (`--teacher …`) to an open teacher, on this machine or elsewhere.

A new kind of teacher is one more line in KINDS. Nothing is loaded or asked until it is used, except
that a server with no model named is asked which it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlm.base_models import BASE_MODELS
from dlm.data.completion import Completion, Done, Request
from dlm.doc.document import Document
from dlm.errors import TeacherError
from dlm.loops.programs import Program, Unusable
from dlm.loops.teachers.protocol import Teacher, Unanswered, ask_together

if TYPE_CHECKING:
    from dlm.engine.resident import Resident

KINDS: Final = {
    "self": "the document's current adapter; self:v0003 for another version",
    "base": "the document's base model without an adapter",
    "hf:<model>": "a model of the Hugging Face hub, as in hf:Qwen/Qwen2.5-0.5B-Instruct",
    "./folder": "a model in a folder",
    "openai:<model>": "OpenAI, with the key in OPENAI_API_KEY",
    "openai:<model>@<url>": "a server that speaks OpenAI's protocol, or several: <url>,<url>",
    "vllm-server:<url>": "a vLLM server, or several",
    "http(s)://…": "any server that speaks OpenAI's protocol; #model names one of several",
    "cli:<command>": "a program, run once a request",
}

_TIMEOUT: Final = 300.0  # seconds a request to a program


@contextlib.contextmanager
def open_teacher(
    spec: str,
    document: Document,
    *,
    resident: Resident | None = None,
    thinking: bool = False,
    strength: float = 1.0,
    api_key_env: str | None = None,
    at_once: int | None = None,
    timeout: float | None = None,
    backoff: float = 1.0,
) -> Iterator[Teacher]:
    """The teacher that `spec` names, open until the block ends.

    `resident` is the document's model where it is open already, so that it is not loaded twice;
    `thinking` lets a thinking model on this machine reason first, and `strength` is how much of its
    adapter `self` speaks with. Of a program, and at each server, `at_once` requests are under way
    together, each for at most `timeout` seconds; `backoff` is the first wait before a second try.
    Raises TeacherError, BaseModelError or StoreError when there is none.
    """
    spec = spec.strip()
    kind, _, rest = spec.partition(":")
    if kind == "self" or spec == "base":
        with _own(document, kind, rest, resident, thinking, strength) as teacher:
            yield teacher
    elif kind == "cli":
        yield CommandTeacher(rest, at_once=at_once or 1, timeout=timeout or _TIMEOUT)
    elif kind in ("openai", "vllm-server", "http", "https"):
        from dlm.loops.teachers.http import TIMEOUT
        from dlm.loops.teachers.remote import AT_ONCE, RemoteTeacher, addresses_of

        yield RemoteTeacher(
            *addresses_of(kind, spec if kind.startswith("http") else rest, api_key_env),
            at_once=at_once or AT_ONCE,
            timeout=timeout or TIMEOUT,
            backoff=backoff,
        )
    elif kind == "hf" or spec in BASE_MODELS or _is_folder(spec):
        with _other(spec, thinking) as teacher:
            yield teacher
    else:
        raise _unknown(spec)


class LocalTeacher:
    """A resident model that completes, with its adapter or without.

    An adapter speaks at `strength`, from 0 to 1: one that was trained to answer forgets how to ask,
    and half of it still knows the document.
    """

    def __init__(
        self, resident: Resident, name: str, *, adapter: bool, strength: float = 1.0
    ) -> None:
        self.resident, self.name, self.adapter = resident, name, adapter
        self.strength = strength

    @property
    def identity(self) -> str:
        """The name, the weights of the base and those of the adapter, if it speaks."""
        parts = [self.name, f"base={self.resident.base_fingerprint}"]
        if self.adapter and self.resident.version is not None:
            parts.append(f"adapter={self.resident.version.sha256}")
            if self.strength != 1:
                parts.append(f"strength={self.strength:g}")
        if self.resident.thinking:
            parts.append("thinking")
        return " ".join(parts)

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Answer in batches; a prompt too long for the context is refused."""
        if not self.adapter:
            self.resident.complete(requests, done, adapter=False)
            return
        with self.resident.model.at_strength(self.strength):
            self.resident.complete(requests, done, adapter=True)

    def prompt_tokens(self, request: Request) -> int:
        """How many tokens the model reads of this request, which need not fit its context."""
        return self.resident.prompt_tokens(request)


class CommandTeacher:
    """Any program, run once a request in the current folder.

    stdin   {"system", "prompt", "n", "max_new_tokens", "temperature", "seed"}, and "top_p" if not 1
    stdout  {"completions": ["…", …]}
    """

    def __init__(self, command: str, *, at_once: int = 1, timeout: float = _TIMEOUT) -> None:
        """Raises TeacherError when there is no such command."""
        self.name = f"cli:{command}"
        self._at_once = at_once
        example = '--teacher "cli:./teach.py --fast"'
        self._program = Program(command, TeacherError, example=example, timeout=timeout)

    @property
    def identity(self) -> str:
        """The command, and the text of the scripts in it: an edited script is another teacher."""
        return " ".join([self.name, *self._program.digests()])

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """One process a request; one that fails, hangs or prints something else is refused."""
        asyncio.run(ask_together(self.name, requests, self._ask, done, at_once=self._at_once))

    async def _ask(self, request: Request) -> list[Completion]:
        told = {
            "system": request.system,
            "prompt": request.prompt,
            "n": request.n,
            "max_new_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        }
        if request.top_p != 1:
            told["top_p"] = request.top_p
        try:
            found = await self._program.ask(told, _texts, '{"completions": ["…"]}')
        except Unusable as error:
            raise Unanswered(str(error)) from error
        if not found:
            raise Unanswered("gave no completion")
        return [Completion.of(text) for text in found[: request.n]]


@contextlib.contextmanager
def _own(
    document: Document,
    kind: str,
    version: str,
    resident: Resident | None,
    thinking: bool,
    strength: float,
) -> Iterator[Teacher]:
    from dlm.engine.resident import Resident

    with contextlib.ExitStack() as stack:
        if resident is None or (version and not _is_version(resident, version)):
            resident = stack.enter_context(
                Resident.open(document, version=version or None, thinking=thinking)
            )
        if kind == "base":
            yield LocalTeacher(resident, f"base:{resident.base.key}", adapter=False)
        elif resident.version is not None:
            name = f"self:{resident.version.name}"
            yield LocalTeacher(resident, name, adapter=True, strength=strength)
        else:
            raise TeacherError(
                f"{document.path} is not trained yet, so it cannot teach itself",
                hint=f"dlm train {document.path}, or --teacher base",
            )


@contextlib.contextmanager
def _other(spec: str, thinking: bool) -> Iterator[Teacher]:
    from dlm.engine.resident import Resident

    with Resident.open_base(spec, thinking=thinking) as resident:
        # Not the whole path: the name is written into the document.
        name = f"folder:{resident.folder.name}" if _is_folder(spec) else spec
        name = f"base:{spec}" if spec in BASE_MODELS else name
        yield LocalTeacher(resident, name, adapter=False)


def _is_version(resident: Resident, name: str) -> bool:
    from dlm.store.records import version_number

    return resident.version is not None and resident.version.number == version_number(name)


def _is_folder(spec: str) -> bool:
    return spec.startswith(("./", "../", "~", "/")) or (bool(spec.strip()) and Path(spec).is_dir())


def _unknown(spec: str) -> TeacherError:
    kind, colon, rest = spec.partition(":")
    words = [known.partition(":")[0].partition("<")[0] for known in KINDS if known[0].isalpha()]
    known = {word.removesuffix("(s)"): word for word in words}
    guess = ""
    if close := difflib.get_close_matches(kind.lower(), known, n=1, cutoff=0.5):
        guess = f"did you mean {close[0]}{colon}{rest}? "
    elif close := difflib.get_close_matches(spec.lower(), BASE_MODELS, n=1, cutoff=0.6):
        guess = f"did you mean {close[0]}? "
    return TeacherError(f"there is no teacher {spec!r}", hint=f"{guess}known: {', '.join(KINDS)}")


def _texts(value: Any) -> list[str]:
    found = value["completions"]
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise TypeError
    return found
