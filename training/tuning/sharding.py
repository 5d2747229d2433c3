"""Frozen weights cut over several cards (FSDP2), for models that do not fit on one.

Only the frozen weights of the layers are cut: each layer is put together when it is needed and
taken apart again. The adapter stays whole in every process and is added up as without shards
(`machine.py`), so the optimizer, its state, the checkpoint and the clipping of gradients are the
same; it is a hundredth of the model. Embedding, last norm and head stay whole, too.
"""

from __future__ import annotations

from typing import Any

import peft
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from training.tuning.machine import Machine


def shard(tuned: peft.PeftModel, machine: Machine) -> None:
    """Cut the frozen weights of the layers over all processes, in place.

    Args:
        tuned: the model with its adapter, whole, on the processor.
        machine: all of its processes call this.
    """
    mesh = init_device_mesh(machine.device.type, (machine.processes,))
    trunk: Any = tuned.get_base_model().model
    whole = {p for p in tuned.parameters() if p.requires_grad}
    options: dict[str, Any] = {"mesh": mesh, "reshard_after_forward": True}
    for layer in trunk.layers:
        fully_shard(layer, ignored_params=whole, **options)
    # The trunk itself has nothing to cut; as the root it lets layers be fetched ahead.
    fully_shard(trunk, ignored_params=whole | _outside_layers(trunk), **options)
    _move_rest(tuned, machine.device)


def _outside_layers(trunk: Any) -> set[nn.Parameter]:
    inside = {id(p) for layer in trunk.layers for p in layer.parameters()}
    return {p for p in trunk.parameters() if id(p) not in inside}


def _move_rest(tuned: peft.PeftModel, device: torch.device) -> None:
    """What is not cut goes to the device as it is."""
    from torch.distributed.tensor import DTensor

    with torch.no_grad():
        for tensor in (*tuned.parameters(), *tuned.buffers()):
            if not isinstance(tensor, DTensor):
                tensor.data = tensor.data.to(device)
