"""Teachers on this machine: the document's own model, its base, or another base model."""

from __future__ import annotations

from collections.abc import Sequence

from dlm.data.completion import Done, Request
from dlm.engine.resident import Resident


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
