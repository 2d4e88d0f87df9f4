"""A LoRA adapter folder, as PEFT saves it, as what it adds to each weight. Knows no model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from dlm.engine.native_tensors import Array, entries_of, read_tensor

_KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
# Settings under which an adapter is more than W + scaling * B·A, or scales layers differently.
_BEYOND_PLAIN = (
    "alora_invocation_tokens",
    "alpha_pattern",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "modules_to_save",
    "monteclora_config",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
)
# Other ways to begin, such as PiSSA, change the base weights as well.
_BASE_KEPT = (True, False, "gaussian", "orthogonal")


def is_plain_lora(adapter: Path, *, onto: Collection[str]) -> bool:
    """Whether the adapter is plain LoRA on some of the named linear layers; reads headers only."""
    config = _config(adapter)
    entries = entries_of(adapter / "adapter_model.safetensors")
    matches = [_KEY.fullmatch(key) for key in entries]
    return (
        config.get("peft_type") == "LORA"
        and config.get("bias", "none") == "none"
        and config.get("init_lora_weights", True) in _BASE_KEPT
        and not any(config.get(key) for key in _BEYOND_PLAIN)
        and all(match is not None and match[1] in onto for match in matches)
        and all(entry.readable for entry in entries.values())
    )


def adapter_deltas(adapter: Path) -> dict[str, Array]:
    """What the adapter adds to each linear weight, by layer: its scaling times B·A, (out, in)."""
    config = _config(adapter)
    rank = config["r"]
    scaling = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    entries = entries_of(adapter / "adapter_model.safetensors")
    deltas: dict[str, Array] = {}
    for key, entry in entries.items():
        match = _KEY.fullmatch(key)
        if match is not None and match[2] == "A":
            up = read_tensor(entries[key.replace(".lora_A.", ".lora_B.")])
            deltas[match[1]] = np.float32(scaling) * (up @ read_tensor(entry))
    return deltas


def _config(adapter: Path) -> dict[str, Any]:
    text = (adapter / "adapter_config.json").read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(text)
    return config
