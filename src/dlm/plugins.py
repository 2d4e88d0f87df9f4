"""Pydantic without a search for its plugins, which would open every installed package."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SWITCH: Final = "PYDANTIC_DISABLE_PLUGINS"
_LOCK: Final = threading.RLock()  # the environment is that of all threads


@contextmanager
def without_plugins() -> Iterator[None]:
    """What is built in this context is built without plugins; the environment is put back."""
    with _LOCK:
        before = os.environ.get(_SWITCH)
        os.environ[_SWITCH] = "__all__"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_SWITCH]
            else:
                os.environ[_SWITCH] = before
