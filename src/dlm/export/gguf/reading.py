"""The tokenizer that a GGUF file describes, made of the file alone.

transformers makes one as well, but knows fewer ways to split: it would read digits of SmolLM's
family in groups where llama.cpp reads them one by one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm.base_models.gguf import GgufFile
from dlm.errors import DlmError
from dlm.export.gguf.vocabulary import CONTROL, USER_DEFINED, WAYS

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a GGUF file; DlmError when it cannot be read."""
    try:
        return GgufFile(path).facts
    except (OSError, ValueError) as error:
        raise DlmError(f"{path} cannot be read: {error}", hint="export it again") from error


def tokenizer_of(facts: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer; DlmError for a kind that is not written here."""
    from tokenizers import Tokenizer

    way = WAYS.get(facts.get("tokenizer.ggml.pre", ""))
    if facts.get("tokenizer.ggml.model") != "gpt2" or way is None:
        raise DlmError("the tokenizer of this GGUF file is of a kind that dlm does not write")
    tokens = facts["tokenizer.ggml.tokens"]
    kinds = facts["tokenizer.ggml.token_type"]
    data = {
        "version": "1.0",
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [_whole(one) for one in way]},
        "post_processor": None,
        "decoder": _whole({"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}),
        "added_tokens": [
            _added(number, text, special=kind == CONTROL)
            for number, (text, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind in (CONTROL, USER_DEFINED)
        ],
        "model": {
            "type": "BPE",
            "vocab": {text: number for number, text in enumerate(tokens)},
            "merges": [one.split(" ") for one in facts["tokenizer.ggml.merges"]],
            "ignore_merges": facts["tokenizer.ggml.pre"] == "llama-bpe",
        },
    }
    return Tokenizer.from_str(json.dumps(data))


def _whole(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "trim_offsets": True} if step["type"] == "ByteLevel" else step


def _added(number: int, text: str, *, special: bool) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": text, **plain, "special": special}
