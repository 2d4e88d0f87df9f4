"""Whether a model is one that dlm can train and ask, by its config alone: before its weights are
fetched, and before torch is imported.

Which architectures there is code for is read from the files of the installed transformers.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from dlm.base_models.folder import modality, text_config
from dlm.base_models.registry import BASE_MODELS
from dlm.errors import BaseModelError

# What the classes are called whose models write one token after the other.
_WRITES: Final = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_ANOTHER: Final = "name one that writes text, such as base_model: {}; `dlm base list` has more"
_CAUSAL: Final = re.compile(
    r"^MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = .*?^\)", re.MULTILINE | re.DOTALL
)


def check_suited(name: str, config: Mapping[str, Any]) -> None:
    """Raise BaseModelError, with what to take instead, for a model that cannot be trained here.

    `config` is the content of its config.json; `name` what a document calls the model.
    """
    kind = _class_of(config)
    if config.get("is_encoder_decoder"):
        raise BaseModelError(
            f"{name} is an encoder and a decoder ({kind}), and dlm trains models that continue "
            "one text",
            hint=_ANOTHER.format(_relative(config)),
        )
    if modality(config) != "text" and kind.endswith(_WRITES):
        raise BaseModelError(
            f"{name} reads more than text ({kind}), and dlm trains models of text alone",
            hint=_ANOTHER.format(_relative(config)),
        )
    if not kind.endswith(_WRITES) or "vocab_size" not in text_config(config):
        raise BaseModelError(
            f"{name} does not write text: it is a {kind}", hint=_ANOTHER.format(_relative(config))
        )
    if held := config.get("quantization_config"):
        how = held.get("quant_method", "an unknown way") if isinstance(held, dict) else held
        raise BaseModelError(
            f"the weights of {name} are quantised already ({how}), and are not trained on here",
            hint="name the model that they were made from; on a GPU, training.quantization: 4bit "
            "loads that in four bits",
        )
    known, model_type = _known_types(), str(config.get("model_type"))
    if known and model_type not in known:
        raise BaseModelError(
            f"the installed transformers has no code for {name}, a {kind} of type {model_type!r}, "
            "and code that comes with a model is never run",
            hint="a newer transformers may know it (pip install -U transformers); or name another "
            "base",
        )


def _class_of(config: Mapping[str, Any]) -> str:
    """What the model is called in transformers; of a config that does not say, its type."""
    named = config.get("architectures")
    if isinstance(named, list) and named:
        return str(named[0])
    return f"{config.get('model_type', 'model of no type')}ForCausalLM"


def _relative(config: Mapping[str, Any]) -> str:
    """A base of the registry that is of the same kin, else the smallest for real use."""
    kin = str(config.get("model_type", "")).partition("_")[0]
    same = (key for key, base in BASE_MODELS.items() if base.architecture.lower().startswith(kin))
    found = next(same, None) if kin and kin != "llama" else None
    return found or "smollm2-135m"


@cache
def _known_types() -> frozenset[str]:
    """The types of models that transformers loads to write text; empty where that is not told."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return frozenset()
    path = Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py"
    try:
        found = _CAUSAL.search(path.read_text(encoding="utf-8"))
    except OSError:
        return frozenset()
    return (
        frozenset(re.findall(r'^\s+\("([\w-]+)",', found[0], re.MULTILINE))
        if found
        else frozenset()
    )
