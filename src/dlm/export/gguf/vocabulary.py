"""The tokenizer of a base as a GGUF file says it: tokens, merges and the name of a way to split.

llama.cpp knows ways to split a text into words by name only. A tokenizer is written where its own
way is exactly one of these, and refused where it is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dlm.base_models.folder import read_json
from dlm.errors import DlmError
from dlm.export.huggingface import stop_ids
from dlm.export.source import Source
from dlm.export.template import chat_template

if TYPE_CHECKING:
    from gguf import GGUFWriter

# What GGUF calls kinds of tokens.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SPACE: Final = "▁"  # how sentencepiece writes a space
_BYTE: Final = re.compile(r"<0x[0-9A-F]{2}>")
_LLAMA_3: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_2: Final = _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")


def _bytes(*, words: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "use_regex": words}


def _split(pattern: str) -> list[dict[str, Any]]:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
    return [{**split, "invert": False}, _bytes(words=False)]


WAYS: Final[dict[str, list[dict[str, Any]]]] = {
    "gpt-2": [_bytes(words=True)],
    "smollm": [{"type": "Digits", "individual_digits": True}, _bytes(words=True)],
    "qwen2": _split(_QWEN_2),
    "llama-bpe": _split(_LLAMA_3),
}
"""What llama.cpp calls each way to split, as `tokenizers` writes it down."""


def describe_vocabulary(source: Source, writer: GGUFWriter) -> None:
    """Write tokens, merges, special tokens and the chat template; DlmError for another kind."""
    data = read_json(source.folder / "tokenizer.json")
    pieces = _is_pieces(data)
    rows = _rows(data, int(source.config()["vocab_size"]), pieces=pieces)
    writer.add_tokenizer_model("llama" if pieces else "gpt2")
    writer.add_tokenizer_pre("default" if pieces else _way(source, data))
    writer.add_token_list([text for text, _ in rows])
    writer.add_token_types([kind for _, kind in rows])
    merges = [_merge(one) for one in data["model"]["merges"]]
    if pieces:
        writer.add_token_scores(_scores([text for text, _ in rows], merges))
    else:
        writer.add_token_merges([" ".join(one) for one in merges])
    _describe_special(source, writer)


def _describe_special(source: Source, writer: GGUFWriter) -> None:
    tokens = source.tokens()
    writer.add_add_bos_token(bool(tokens.opening_ids))
    writer.add_add_space_prefix(False)
    named = {name: tokens.id_of(tokens.special.get(f"{name}_token")) for name in ("bos", "unk")}
    if (begin := named["bos"]) is not None:
        writer.add_bos_token_id(begin)
    if (unknown := named["unk"]) is not None:
        writer.add_unk_token_id(unknown)
    if ends := stop_ids(source):
        writer.add_eos_token_id(ends[0])
        writer.add_eot_token_id(ends[0])
    writer.add_pad_token_id(source.codec.pad_id)
    writer.add_chat_template(chat_template(source.codec, source.document.frontmatter.system_prompt))


def _way(source: Source, data: dict[str, Any]) -> str:
    """What llama.cpp calls the way in which this tokenizer splits."""
    model, found = data["model"], _plain_steps(data.get("pre_tokenizer"))
    if model.get("type") == "BPE" and not model.get("byte_fallback"):
        for name, steps in WAYS.items():
            whole = bool(model.get("ignore_merges")) == (name == "llama-bpe")
            if found == steps and whole and _normal(data, name):
                return name
    raise DlmError(
        f"the tokenizer of {source.base.key} splits text in a way that llama.cpp has no name for, "
        "so a GGUF file of it would read text otherwise",
        hint="--target merged exports a folder for transformers",
    )


def _normal(data: dict[str, Any], way: str) -> bool:
    """Whether text is taken as it is; Qwen composes its characters first, which is lost."""
    normalizer = data.get("normalizer")
    return normalizer is None or (way == "qwen2" and normalizer == {"type": "NFC"})


def _plain_steps(value: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The steps before the merging, without what changes no token."""
    if value is None:
        return []
    steps = value["pretokenizers"] if value.get("type") == "Sequence" else [value]
    kept = ({k: v for k, v in one.items() if k != "trim_offsets"} for one in steps)
    return [{"use_regex": True, **one} if one["type"] == "ByteLevel" else one for one in kept]


def _is_pieces(data: dict[str, Any]) -> bool:
    """Whether this is sentencepiece's way, as Gemma has it: pieces with spaces, bytes for the rest.

    llama.cpp merges pieces by their scores, which are made of the order of the merges.
    """
    model, space = data["model"], {"String": " "}
    normalizer = {"type": "Replace", "pattern": space, "content": SPACE}
    split = {"type": "Split", "pattern": space, "behavior": "MergedWithPrevious", "invert": False}
    return (
        model.get("type") == "BPE"
        and bool(model.get("byte_fallback"))
        and not model.get("ignore_merges")
        and data.get("normalizer") == normalizer
        and data.get("pre_tokenizer") in (None, split)
    )


def _rows(data: dict[str, Any], size: int, *, pieces: bool) -> list[tuple[str, int]]:
    """Text and kind of every token, by its id; ids that no token has are marked as unused."""
    rows = [(f"[PAD{number}]", UNUSED) for number in range(size)]
    for text, number in data["model"]["vocab"].items():
        rows[number] = (text, BYTE if pieces and _BYTE.fullmatch(text) else NORMAL)
    for token in data.get("added_tokens") or ():
        kind = CONTROL if token["special"] else USER_DEFINED
        unknown = pieces and token["content"] == data["model"].get("unk_token")
        rows[token["id"]] = (token["content"], UNKNOWN if unknown else kind)
    return rows


def _scores(tokens: list[str], merges: list[list[str]]) -> list[float]:
    """The sooner a piece is merged, the higher its score; what is never merged comes last."""
    found: dict[str, float] = {}
    for rank, pair in enumerate(merges):
        found.setdefault("".join(pair), -float(rank))
    return [found.get(token, -float(len(merges))) for token in tokens]


def _merge(value: str | list[str]) -> list[str]:
    return value.split(" ") if isinstance(value, str) else value
