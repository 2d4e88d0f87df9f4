"""A base that FSDP spreads over the processes: what one of them runs, all must run.

FSDP brings the weights of a layer together when it runs, which takes all processes at once. So
whenever the first one runs the network to measure something, the others run it along, on a token of
no interest. How the base is spread is accelerate's configuration; torch gathers what is saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlm.train.checkpoint import trained_weights
from dlm.train.ranks import Line, RunAlong


class Mirrored:
    """The network as the first process measures it; every call of it is one of all processes."""

    def __init__(self, network: Any, line: Line) -> None:
        self.__dict__.update(_network=network, _line=line)

    def __call__(self, **inputs: Any) -> Any:
        self._line.say(RunAlong(adapter=not _is_off(self._network)))
        return self._network(**inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


def spread(trainer: Any) -> Any:
    """Have accelerate spread a trainer's model now, before its first step; returns what to run."""
    from transformers.distributed.fsdp import update_fsdp_plugin_peft

    plugin = trainer.accelerator.state.fsdp_plugin
    if plugin.fsdp_version == 2:  # accelerate prepares a model with its optimiser only
        trainer.create_optimizer()
        model, _ = trainer.accelerator.prepare(trainer.model, trainer.optimizer)
        trainer.optimizer = None
    else:
        update_fsdp_plugin_peft(trainer.model, trainer.accelerator)
        model = trainer.accelerator.prepare(trainer.model)
    trainer.model = trainer.model_wrapped = model
    return model


def run_along(model: Any, *, adapter: bool, pad_id: int) -> None:
    """Run the network with the first process, which measures something."""
    import contextlib

    import torch

    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    ids = torch.full((1, 2), pad_id, device=device)
    with torch.no_grad(), contextlib.nullcontext() if adapter else model.disable_adapter():
        model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    model.train(was_training)


def whole_weights(model: Any) -> dict[str, Any]:
    """The adapter's weights by name, on the CPU; all processes call this.

    Only they are brought together, a matrix at a time: the base may be larger than any memory.
    """
    return {
        name: (one.full_tensor() if _is_spread(one) else one).detach().cpu().clone()
        for name, one in _adapter(model, writeback=False)
    }


def put_weights(model: Any, weights: Mapping[str, Any]) -> None:
    """Give each process its part of the adapter's weights, of which each has all."""
    import torch
    from torch.distributed.tensor import distribute_tensor

    with torch.no_grad():
        for name, one in _adapter(model, writeback=True):
            whole = weights[name]
            if _is_spread(one):
                whole = whole.to(one.device)
                whole = distribute_tensor(whole, one.device_mesh, one.placements)
            one.copy_(whole)


def whole_moments(model: Any, trainer: Any) -> dict[str, Any]:
    """The optimiser's state by the names of parameters, in the same way."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return dict(get_optimizer_state_dict(model, _plain(trainer.optimizer), options=options))


def put_moments(model: Any, trainer: Any, state: Mapping[str, Any]) -> None:
    """Give each process its part of the optimiser's state, of which it has all."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(model, _plain(trainer.optimizer), dict(state), options=options)


def _adapter(model: Any, *, writeback: bool) -> Iterator[tuple[str, Any]]:
    """Each trained matrix with its name; whole while it is yielded, or a part under FSDP 2."""
    from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel as Unit

    if isinstance(model, FSDPModule):  # FSDP 2 spreads each parameter by itself
        yield from trained_weights(model).items()
        return
    for place, unit in model.named_modules():
        if not isinstance(unit, Unit) or not any(
            one.requires_grad for one in unit.module.parameters(recurse=False)
        ):
            continue
        with Unit.summon_full_params(unit, recurse=False, writeback=writeback):
            for name, one in unit.module.named_parameters(recurse=False):
                yield f"{place}.{name}".replace("_fsdp_wrapped_module.", ""), one


def _is_spread(value: Any) -> bool:
    return hasattr(value, "full_tensor")


def _plain(optimizer: Any) -> Any:
    """torch's optimiser inside accelerate's."""
    return getattr(optimizer, "optimizer", optimizer)


def _is_off(network: Any) -> bool:
    from peft.tuners.lora import LoraLayer

    layers = (one for one in network.modules() if isinstance(one, LoraLayer))
    return next((layer.disable_adapters for layer in layers), False)
