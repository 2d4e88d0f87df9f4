"""Settings that a document may leave to us. No torch, so that `dlm doctor` can ask too."""

from __future__ import annotations

from dlm.doc.schema import TrainingConfig

_SEQUENCE_LENGTH = 1024


def sequence_length(config: TrainingConfig | None, context_length: int) -> int:
    """Tokens a row may have: what the document says, at most what the base can see."""
    if config is None or config.sequence_len == "auto":
        return min(_SEQUENCE_LENGTH, context_length)
    return min(config.sequence_len, context_length)
