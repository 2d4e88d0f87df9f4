from dlm.doc.document import Document as Document
from dlm.engine.asking import Engine as Engine
from dlm.store.records import Version
from dlm.store.store import open_store as open_store
from dlm.train.options import Progress

__version__: str
__all__ = ["Document", "Engine", "open_store", "train"]

def train(
    document: Document,
    *,
    fresh: bool = ...,
    max_steps: int | None = ...,
    seed: int | None = ...,
    progress: Progress | None = ...,
) -> Version: ...
