"""A plugin for the command `llm`: a document is a model called `dlm:` and its path.

`llm` knows models by their names alone, so these are the documents of the current folder and those
that the command line, an alias or the default of `llm` names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llm
from pydantic import Field

from dlm.errors import DlmError

if TYPE_CHECKING:
    from dlm.engine.asking import Engine

PREFIX = "dlm:"


@llm.hookimpl
def register_models(register: Any) -> None:
    """Register every document that can be meant."""
    for name in _names():
        register(Notes(name))


class Notes(llm.Model):
    """A document: each question stands alone, and is answered as `dlm prompt` answers it."""

    can_stream = True

    class Options(llm.Options):
        closed: bool | None = Field(default=None, description="Ask the trained model alone.")
        version: str | None = Field(default=None, description="Answer as of this version.")
        max_tokens: int | None = Field(default=None, description="Longest answer.", ge=1)

    def __init__(self, name: str) -> None:
        self.model_id = f"{PREFIX}{name}"
        self.path = Path(name if name.endswith(".dlm") else f"{name}.dlm").expanduser()
        self._engines: dict[tuple[Any, ...], Engine] = {}

    def execute(self, prompt: Any, stream: bool, response: Any, conversation: Any) -> Iterator[str]:
        """The answer, and the line where it stands when it was taken from the notes."""
        from dataclasses import asdict

        try:
            engine = self._engine(prompt.options)
            reply = engine.ask(prompt.prompt or "", closed=bool(prompt.options.closed))
            where = engine.where(reply)
        except DlmError as error:
            raise llm.ModelError(f"{error}\n{error.hint}" if error.hint else str(error)) from error
        response.response_json = asdict(reply)
        yield reply.text
        if where:
            yield f"\n  {where}"

    def _engine(self, options: Any) -> Engine:
        from dlm.doc.document import Document
        from dlm.engine.answer import Sampling
        from dlm.engine.asking import Engine

        key = (options.version, options.max_tokens)
        if key not in self._engines:
            sampling = Sampling(max_tokens=options.max_tokens or Sampling().max_tokens)
            document = Document.open(self.path)
            self._engines[key] = Engine(document, version=options.version, sampling=sampling)
        return self._engines[key]


def _names() -> list[str]:
    here = (path.stem for path in Path.cwd().glob("*.dlm"))
    return sorted({*here, *_prefixed(sys.argv[1:]), *_prefixed(_set_in_llm())})


def _prefixed(words: Iterable[str]) -> Iterator[str]:
    """The documents among some words: `dlm:notes`, `-mdlm:notes`, `--model=dlm:notes`."""
    for word in words:
        name = word.removeprefix("--model=").removeprefix("-m")
        if name.startswith(PREFIX) and name != PREFIX:
            yield name.removeprefix(PREFIX)


def _set_in_llm() -> list[str]:
    """What the aliases and the default of `llm` stand for."""
    try:
        folder: Path = llm.user_dir()  # type: ignore[no-untyped-call]
        aliases = json.loads((folder / "aliases.json").read_text("utf-8"))
        named = [value for value in aliases.values() if isinstance(value, str)]
    except (OSError, ValueError, AttributeError):
        named = []
    default: str | None = llm.get_default_model()  # type: ignore[no-untyped-call]
    return [*named, default or ""]
