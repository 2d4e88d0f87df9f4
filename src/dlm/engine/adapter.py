"""An adapter on disk: two files that PEFT, vLLM and the exporters read, with stable bytes."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

from dlm.engine.model import ADAPTER, Model
from dlm.files import write_atomic


def save_adapter(model: Model, folder: Path, *, base_id: str) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json` into `folder`.

    The same weights give the same bytes. Raises DlmError when the disk refuses.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    weights = get_peft_model_state_dict(model.network, adapter_name=ADAPTER)
    tensors = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    write_atomic(folder / "adapter_model.safetensors", save(tensors, metadata={"format": "pt"}))
    config = model.network.peft_config[ADAPTER].to_dict()
    config |= {"base_model_name_or_path": base_id, "inference_mode": True}
    text = json.dumps(config, indent=2, sort_keys=True, default=_plain)
    write_atomic(folder / "adapter_config.json", f"{text}\n".encode())


def _plain(value: object) -> Any:
    """What JSON lacks: PEFT keeps module names in sets, which have no order of their own."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
