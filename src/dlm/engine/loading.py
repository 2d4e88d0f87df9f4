"""torch and transformers, imported once, quiet and offline; bases and adapters, loaded and saved.

The one place that does either. Import it before torch: what must be set before torch starts is set
here.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import warnings
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from dlm.errors import BaseModelError, CorruptStore
from dlm.files import write_atomic
from dlm.hardware import Plan

ADAPTER = "default"
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic matrix products on CUDA
}


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Shape of a new adapter: rank, scaling numerator, dropout, adapted modules."""

    rank: int
    alpha: int
    dropout: float
    target_modules: str | list[str]
    seed: int


def prepare() -> None:
    """Set what the libraries read while they are imported."""
    # A spinning OpenMP thread starves its neighbour on a busy machine (10x slower steps).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Weights are fetched by `base_models.locate` only; nothing below it may reach for the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore", module=r"(torch|transformers|peft|trl|accelerate|datasets)\b")
    for name in ("transformers", "trl", "accelerate", "datasets", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)


def start(plan: Plan) -> Any:
    """Import torch, set threads and determinism, and return it."""
    prepare()
    import torch

    torch.set_num_threads(plan.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if plan.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
    return torch


def load_base(folder: Path, plan: Plan, torch: Any) -> Any:
    """The network of the base in `folder`, on the CPU; BaseModelError when it does not load.

    One that is to be quantised lies on its device.
    """
    from transformers import AutoModelForCausalLM

    _silence()
    try:
        network = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=getattr(torch, plan.dtype),
            local_files_only=True,
            **_quantised(plan, torch),
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BaseModelError(
            f"the base model in {folder} does not load: {_first_line(error)}",
            hint="`dlm doctor` checks the base; a damaged download can be deleted and fetched anew",
        ) from error
    # The base's own sampling defaults must not leak into answers.
    network.generation_config = type(network.generation_config)()
    return network


def _quantised(plan: Plan, torch: Any) -> dict[str, Any]:
    """What loads the weights in few bits: NF4 with double quantisation, or LLM.int8."""
    if plan.quantization is None:
        return {}
    from transformers import BitsAndBytesConfig

    if plan.quantization == "8bit":
        how = BitsAndBytesConfig(load_in_8bit=True)
    else:
        how = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, plan.dtype),
        )
    return {"quantization_config": how, "device_map": {"": plan.device}}


def load_gguf(file: Path, plan: Plan, torch: Any) -> Any:
    """The network in a GGUF file, on the CPU; BaseModelError when it does not load."""
    from transformers import AutoModelForCausalLM, GgufConfig

    _silence()
    try:
        # It draws a bar of its own, which nothing else switches off.
        with contextlib.redirect_stderr(io.StringIO()):
            network = AutoModelForCausalLM.from_pretrained(
                str(file.parent),
                gguf_file=file.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=getattr(torch, plan.dtype),
                local_files_only=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BaseModelError(f"transformers does not load {file}: {_first_line(error)}") from error
    network.generation_config = type(network.generation_config)()
    return network


def add_adapter(network: Any, lora: LoraSettings, torch: Any) -> Any:
    """`network` with a fresh LoRA adapter, which changes nothing yet: its B is zero."""
    from peft import LoraConfig, get_peft_model

    # Seeded here, after the base is loaded, so that loading cannot shift the initial weights.
    torch.manual_seed(lora.seed)
    return get_peft_model(
        network,
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )


def load_adapter(network: Any, folder: Path, *, trainable: bool, name: str = ADAPTER) -> Any:
    """`network` with the adapter in `folder`, beside those that it has already.

    Raises CorruptStore when it does not load.
    """
    from peft import PeftModel

    try:
        if hasattr(network, "peft_config"):
            network.load_adapter(str(folder), name, is_trainable=trainable)
            return network
        return PeftModel.from_pretrained(network, str(folder), name, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CorruptStore(
            f"the adapter in {folder} does not load: {_first_line(error)}",
            hint="`dlm history` lists the other versions; `dlm rollback` goes back to one",
        ) from error


def load_classifier(folder: Path, plan: Plan, *, pad_id: int) -> tuple[Any, Any]:
    """A sequence classifier with one output, and torch; BaseModelError when it is none."""
    torch = start(plan)
    from transformers import AutoModelForSequenceClassification

    _silence()
    try:
        network, found = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            dtype=getattr(torch, plan.dtype),
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BaseModelError(
            f"the reward model in {folder} does not load: {_first_line(error)}",
            hint="it must be a sequence classifier",
        ) from error
    if found["missing_keys"] or network.config.num_labels != 1:
        raise BaseModelError(
            f"the model in {folder} is no reward model: it gives no single score",
            hint="a reward model is a sequence classifier with one output",
        )
    network.config.pad_token_id = pad_id
    network.to(plan.device)
    network.eval()
    return network, torch


def save_adapter(
    network: Any, folder: Path, *, base_id: str, weights: dict[str, Any] | None = None
) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json` into `folder`.

    `weights` are the adapter's, by the names of parameters, where `network` does not hold them
    whole. The same weights give the same bytes. Raises DlmError when the disk refuses.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    if weights is None:
        found = get_peft_model_state_dict(network, adapter_name=ADAPTER)
    else:  # PEFT finds none of them by name in a network that FSDP wrapped
        found = {name.replace(f".{ADAPTER}.", "."): value for name, value in weights.items()}
    tensors = {name: found[name].detach().cpu().contiguous() for name in sorted(found)}
    write_atomic(folder / "adapter_model.safetensors", save(tensors, metadata={"format": "pt"}))
    config = network.peft_config[ADAPTER].to_dict()
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


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _silence() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
