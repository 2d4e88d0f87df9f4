"""From what a document says (`base_model: …`) to a base model. Downloads nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlm.base_models.folder import (
    count_parameters,
    has_chat_template,
    linear_layers,
    missing_file,
    modality,
    read_json,
    text_config,
)
from dlm.base_models.locate import cached_snapshot
from dlm.base_models.registry import BASE_MODELS, BaseModel, learning_rate
from dlm.base_models.suited import check_suited
from dlm.base_models.wheel import unpacked_folder
from dlm.errors import BaseModelError, DocumentError

if TYPE_CHECKING:
    from dlm.doc.document import Document

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_UNKNOWN_LICENSE: Final = "LicenseRef-Unknown"


def resolve(key: str | Path, *, beside: Path | None = None) -> BaseModel:
    """The base model a key names: one of the registry, `hf:org/name`, or a local folder.

    A relative folder counts from that of the file `beside`, else from the current one. Raises
    BaseModelError when there is none, or when the folder is not a whole model.
    """
    text = str(key)
    if isinstance(key, str) and text in BASE_MODELS:
        base = BASE_MODELS[text]
        return replace(base, hf_id=str(unpacked_folder(base))) if base.wheel else base
    if text.startswith("hf:"):
        return _from_hub(text)
    root = beside.parent if beside else Path()
    if isinstance(key, Path) or names_a_folder(text, root):
        return _from_folder(text, root)
    raise _unknown(text)


def base_of(document: Document) -> BaseModel:
    """The base model that a document names; BaseModelError, with its place, when it is none."""
    quantization = document.frontmatter.training.quantization
    try:
        base = resolve(document.frontmatter.base_model, beside=document.path)
        return replace(base, quantization=quantization) if quantization else base
    except BaseModelError as error:
        at = document.location_of("base_model")
        raise BaseModelError(f"{at}: {error.message}", hint=error.hint) from error


def check_targets(document: Document, folder: Path) -> None:
    """Raise DocumentError, with its place, for a target module that the base in `folder` lacks."""
    targets = document.frontmatter.training.target_modules
    if targets == "auto":
        return
    layers = linear_layers(folder)
    for number, name in enumerate(targets):
        if not any(layer == name or layer.endswith(f".{name}") for layer in layers):
            short = dict.fromkeys(layer.rpartition(".")[2] for layer in layers)
            raise DocumentError(
                f"{document.frontmatter.base_model} has no module {name!r} to train",
                at=document.location_of("training.target_modules", number),
                hint=f"it has {', '.join(short)}; `target_modules: auto` trains all of them",
            )


def names_a_folder(text: str, root: Path) -> bool:
    """Whether a `base_model` means a folder; without a leading dot, only one that is there."""
    if text.startswith(("./", "../", "~")) or text in (".", "..") or Path(text).is_absolute():
        return True
    return bool(text.strip()) and (root / text / "config.json").is_file()


def with_facts(base: BaseModel, folder: Path) -> BaseModel:
    """`base` with every fact that the files in `folder` state better than it does.

    For a model of the hub that was not on this machine when it was resolved.
    """
    raw = read_json(folder / "config.json")
    config = text_config(raw)
    params = count_parameters(folder)
    return replace(
        base,
        architecture=_first_text(raw.get("architectures")) or base.architecture,
        family=str(raw.get("model_type") or base.family),
        params=params,
        layers=_number(config, "num_hidden_layers", "n_layer"),
        hidden_size=(hidden := _number(config, "hidden_size", "n_embd")),
        vocab_size=_number(config, "vocab_size"),
        inner_size=_number(config, "intermediate_size", "n_inner"),
        heads=(heads := _number(config, "num_attention_heads", "n_head")),
        kv_heads=_number(config, "num_key_value_heads") or heads,
        head_size=_number(config, "head_dim") or (hidden // heads if heads else 0),
        context_length=_number(config, "max_position_embeddings", "n_positions") or 2048,
        modality=modality(raw),
        sft_learning_rate=learning_rate(params),
        chat=has_chat_template(folder),
    )


def _from_hub(key: str) -> BaseModel:
    hf_id = key.removeprefix("hf:")
    if not _HUB_ID.fullmatch(hf_id):
        raise BaseModelError(
            f"{key!r} is not a model of the Hugging Face hub",
            hint="write hf:organisation/name, as in hf:Qwen/Qwen2.5-0.5B-Instruct",
        )
    for known in BASE_MODELS.values():
        if known.hf_id.lower() == hf_id.lower():
            return replace(known, key=key)
    base = _bare(key, hf_id)
    folder = cached_snapshot(hf_id, base.revision)
    return with_facts(base, folder) if folder else base


def _from_folder(key: str, root: Path) -> BaseModel:
    folder = root / Path(key).expanduser()
    if not folder.is_dir():
        where = "" if folder == Path(key).expanduser() else f" in {root}"
        raise BaseModelError(
            f"there is no folder {key}{where}",
            hint="check base_model in the frontmatter; a relative one counts from the document",
        )
    missing = missing_file(folder)
    if missing:
        if (folder / "config.json").is_file():  # one for images has no tokenizer, and needs none
            check_suited(key, read_json(folder / "config.json"))
        raise BaseModelError(
            f"{key} is not a whole model: it has no {missing}", hint=_hint(folder, missing)
        )
    return with_facts(_bare(key, str(folder.resolve())), folder)


def _bare(key: str, hf_id: str) -> BaseModel:
    return BaseModel(
        key=key,
        hf_id=hf_id,
        family="",
        architecture="",
        params=0,
        layers=0,
        hidden_size=0,
        vocab_size=0,
        context_length=2048,
        license_spdx=_UNKNOWN_LICENSE,
        sft_learning_rate=learning_rate(0),
    )


def _hint(folder: Path, missing: str) -> str:
    if missing.endswith(".safetensors") and any(folder.glob("*.bin")):
        return (
            "pickled .bin weights are not read, as they can run code; save the model as safetensors"
        )
    if missing == "tokenizer.json":
        return "save the tokenizer as a fast one, beside the weights"
    return "a model folder holds config.json, tokenizer.json and model.safetensors"


def _unknown(text: str) -> BaseModelError:
    close = difflib.get_close_matches(text.lower(), BASE_MODELS, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]}? " if close else ""
    names = ", ".join(BASE_MODELS)
    return BaseModelError(
        f"there is no base model {text!r}",
        hint=f"{guess}known: {names}; or hf:organisation/name, or a folder such as ./model",
    )


def _number(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)


def _first_text(value: object) -> str:
    return str(value[0]) if isinstance(value, list) and value else ""
