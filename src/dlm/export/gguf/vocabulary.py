"""The tokenizer of a base as a GGUF file says it: tokens, merges and the name of a way to split.

llama.cpp knows ways to split a text into words by name only. A tokenizer is written where its own
way is exactly one of these, and refused where it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dlm.base_models.folder import read_json
from dlm.errors import DlmError
from dlm.export.huggingface import stop_ids
from dlm.export.source import Source
from dlm.export.template import chat_template

if TYPE_CHECKING:
    from gguf import GGUFWriter

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # what GGUF calls kinds of tokens
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
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_way(source, data))
    rows = _rows(data, int(source.config()["vocab_size"]))
    writer.add_token_list([text for text, _ in rows])
    writer.add_token_types([kind for _, kind in rows])
    writer.add_token_merges([_merge(one) for one in data["model"]["merges"]])
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


def _rows(data: dict[str, Any], size: int) -> list[tuple[str, int]]:
    """Text and kind of every token, by its id; ids that no token has are marked as unused."""
    rows = [(f"[PAD{number}]", UNUSED) for number in range(size)]
    for text, number in data["model"]["vocab"].items():
        rows[number] = (text, NORMAL)
    for token in data.get("added_tokens") or ():
        kind = CONTROL if token["special"] else USER_DEFINED
        rows[token["id"]] = (token["content"], kind)
    return rows


def _merge(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)
