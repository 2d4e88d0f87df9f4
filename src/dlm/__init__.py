"""dlm: one plain-text file becomes a local language model that its owner can keep improving.

The public interface is `__all__`; what it names is loaded when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.9.0"
__all__ = ["Document", "Engine", "open_store", "train"]

_PLACES = {
    "Document": "dlm.doc.document",
    "Engine": "dlm.engine.asking",
    "open_store": "dlm.store.store",
}


def __getattr__(name: str) -> Any:
    if name == "train":
        return import_module("dlm.train")  # the package is the function, too
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'dlm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
