"""An adapter on disk: two files that PEFT, vLLM and the exporters read, with stable bytes."""

from __future__ import annotations

import json
from pathlib import Path

from dlm.engine.model import ADAPTER, Model
from dlm.files import write_atomic


def save_adapter(model: Model, folder: Path, *, base_id: str) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json` into `folder`.

    The same weights give the same bytes: PEFT keeps module names in sets, so they are sorted here.
    """
    model.network.save_pretrained(str(folder), selected_adapters=[ADAPTER])
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["base_model_name_or_path"] = base_id
    config = {key: sorted(value) if _is_name_set(value) else value for key, value in config.items()}
    write_atomic(path, (json.dumps(config, indent=2, sort_keys=True) + "\n").encode())


def _is_name_set(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
