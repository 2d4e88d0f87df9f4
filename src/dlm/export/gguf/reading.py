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
from dlm.export.gguf.vocabulary import CONTROL, NORMAL, SPACE, UNKNOWN, USER_DEFINED, WAYS

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a GGUF file; DlmError when it cannot be read."""
    return _opened(path).facts


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Its tensors; DlmError when it cannot be read."""
    return _opened(path).shapes


def _opened(path: Path) -> GgufFile:
    try:
        return GgufFile(path)
    except (OSError, ValueError) as error:
        raise DlmError(f"{path} cannot be read: {error}", hint="export it again") from error


def tokenizer_of(facts: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer; DlmError for a kind that is not written here."""
    from tokenizers import Tokenizer

    tokens = facts["tokenizer.ggml.tokens"]
    kinds = facts["tokenizer.ggml.token_type"]
    data = {
        "version": "1.0",
        "post_processor": None,
        "added_tokens": [
            _added(number, text, special=kind != USER_DEFINED)
            for number, (text, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind in (CONTROL, USER_DEFINED, UNKNOWN)
        ],
    }
    vocabulary = {text: number for number, text in enumerate(tokens)}
    pieces = facts.get("tokenizer.ggml.model") == "llama"
    data |= _of_pieces(facts, vocabulary) if pieces else _of_bytes(facts, vocabulary)
    return Tokenizer.from_str(json.dumps(data))


def _of_bytes(facts: Mapping[str, Any], vocabulary: dict[str, int]) -> dict[str, Any]:
    """Words of bytes, split in a way that has a name."""
    name = facts.get("tokenizer.ggml.pre", "")
    if facts.get("tokenizer.ggml.model") != "gpt2" or name not in WAYS:
        raise DlmError("the tokenizer of this GGUF file is of a kind that dlm does not write")
    return {
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [_whole(one) for one in WAYS[name]],
        },
        "decoder": _whole({"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}),
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [one.split(" ") for one in facts["tokenizer.ggml.merges"]],
            "ignore_merges": name == "llama-bpe",
        },
    }


def _of_pieces(facts: Mapping[str, Any], vocabulary: dict[str, int]) -> dict[str, Any]:
    """Pieces with scores: every way to make one of two others, the best score first."""
    scores = facts["tokenizer.ggml.scores"]
    merges = [
        (scores[number], [text[:at], text[at:]])
        for text, number in vocabulary.items()
        if facts["tokenizer.ggml.token_type"][number] == NORMAL
        for at in range(1, len(text))
        if text[:at] in vocabulary and text[at:] in vocabulary
    ]
    merges.sort(key=lambda one: -one[0])
    unknown = facts.get("tokenizer.ggml.unknown_token_id")
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    return {
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": steps},
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [pair for _, pair in merges],
            "unk_token": None if unknown is None else facts["tokenizer.ggml.tokens"][unknown],
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def _whole(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "trim_offsets": True} if step["type"] == "ByteLevel" else step


def _added(number: int, text: str, *, special: bool) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": text, **plain, "special": special}
