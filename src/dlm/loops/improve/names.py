"""Names of rounds that a person can keep in mind: `brisk-heron-01`. The number tells all apart."""

from __future__ import annotations

import random
from typing import Final

_HOW: Final = (
    "amber", "bold", "brisk", "calm", "candid", "clever", "cosy", "deft", "eager", "early",
    "fair", "fond", "frank", "gentle", "glad", "hardy", "keen", "kind", "lively", "lucid",
    "mellow", "merry", "modest", "nimble", "patient", "plain", "quiet", "ready", "sage", "steady",
    "sunny", "tidy",
)  # fmt: skip
_WHO: Final = (
    "badger", "beaver", "bittern", "crane", "curlew", "dipper", "dormouse", "falcon", "finch",
    "hare", "heron", "hoopoe", "ibis", "jackdaw", "kestrel", "lapwing", "linnet", "lynx", "marten",
    "otter", "owl", "plover", "puffin", "raven", "robin", "seal", "stoat", "swift", "tern",
    "thrush", "vole", "wren",
)  # fmt: skip


def round_name(dlm_id: str, ordinal: int) -> str:
    """The name of the n-th round of a document, the same whenever it is asked for."""
    rng = random.Random(f"{dlm_id}:{ordinal}")
    return f"{rng.choice(_HOW)}-{rng.choice(_WHO)}-{ordinal:02d}"
