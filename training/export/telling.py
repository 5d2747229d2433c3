"""What an export will make, what it takes, and what is to be expected of it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from training.export import basis, making, types
from training.export.folder import Folder
from training.export.merging import Merged
from training.export.request import Prepared
from training.plan.numbers import scaled, size


def described(prepared: Prepared) -> Iterator[str]:
    """What will be made, what it takes, and what is to be expected of it; line by line."""
    order, merged = prepared.order, prepared.merged
    yield from _doubt(prepared)
    if isinstance(order, Folder):
        yield f"folder    {order.target}: {size(order.bytes)} in {order.dtype}, for transformers"
        if order.dtype is torch.bfloat16:
            yield "quality   bfloat16 rounds some of the adapter away; a GGUF file does not"
        return
    if prepared.request.adapter_only:
        yield f"adapter   {prepared.request.adapter}: {_kind(merged)}, alone, {order.type.name}"
        yield f"file      {order.target}"
        return
    found = making.layouts(order)
    need = making.need(order, found)
    weights = sum(math.prod(tensor.shape) for tensor in order.content.tensors)
    family = order.content.family
    yield (
        f"model     {order.content.labels.name}: {family.model_type}, {scaled(weights)} weights in "
        f"{len(order.content.tensors)} tensors, licence {order.content.labels.licence}"
    )
    if prepared.request.adapter:
        yield f"adapter   {prepared.request.adapter}: {_kind(merged)}"
    between = f", and {size(need.between)} in float16 on the way" if need.between else ""
    parts = f" in {len(found)} files" if len(found) > 1 else ""
    yield f"file      {order.target}: {size(need.result)}{parts}{between}"
    free = shutil.disk_usage(_existing(order.target.parent)).free
    yield f"disk      {size(need.result + need.between)} of the {size(free)} that are free"
    expected = types.DIVERGENCE.get(order.type.name)
    told = (
        f"{expected:g} nats from float16 on average (Llama 3 8B, measured by llama.cpp)"
        if expected is not None
        else "not measured by anybody on a model of this size"
    )
    yield f"quality   {order.type.name}: {told}; --verify measures this one"


def _doubt(prepared: Prepared) -> Iterator[str]:
    """An adapter of elsewhere that names another base; one of a run has been compared with it."""
    named = basis.doubt(prepared.request.base, prepared.merged.adapter.config)
    if named and prepared.run is None:
        yield (
            f"base      the adapter says it was tuned on {named}; whether "
            f"{prepared.request.base} is that model is for you to know"
        )


def _kind(merged: Merged) -> str:
    config = merged.adapter.config
    name = "DoRA" if config.get("use_dora") else "rsLoRA" if config.get("use_rslora") else "LoRA"
    saved = len(merged.adapter.saved)
    kept = f", {saved} tensors as a whole" if saved else ""
    return f"{name} of rank {config['r']}, {len(merged.adapter.changes)} matrices{kept}"


def _existing(folder: Path) -> Path:
    """The folder itself or the nearest one above that exists."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())
