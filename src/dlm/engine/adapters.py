"""One base network with several adapters, so that rows of different ones go through it together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from dlm.engine.loading import load_adapter
from dlm.engine.model import Model

_BASE: Final = "__base__"  # what peft calls a row without an adapter


class Adapters:
    """The adapters of one model by a key of the caller's; for use by one thread.

    The key None is the bare base.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._names: dict[str, str] = {}  # peft allows no dots in a name
        self._numbers = count(1)
        self._active = ""

    def add(self, key: str, folder: Path) -> None:
        """Load the adapter in `folder`; CorruptStore when it does not load."""
        if key in self._names:
            return
        name = f"a{next(self._numbers)}"
        network = load_adapter(self.model.network, folder, trainable=False, name=name)
        network.to(self.model.plan.device)
        network.eval()
        if self.model.network is not network:
            self.model.network, self._active = network, name
        self._names[key] = name

    def remove(self, key: str) -> None:
        """Let go of an adapter; the last one stays, because a network without any is another."""
        if key in self._names and len(self._names) > 1:
            name = self._names.pop(key)
            self.model.network.delete_adapter(name)
            if self._active == name:
                self._active = ""

    def forward(self, keys: Sequence[str | None], **inputs: Any) -> Any:
        """What the network puts out when each row of `inputs` goes under the adapter of its key."""
        network = self.model.network
        if not self.model.has_adapter:
            return network(**inputs)
        names = [_BASE if key is None else self._names[key] for key in keys]
        first = names[0]
        if first == _BASE or any(name != first for name in names):
            return network(**inputs, adapter_names=names)
        if first != self._active:
            network.set_adapter(first, inference_mode=True)
            self._active = first
        return network(**inputs)
