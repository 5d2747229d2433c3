"""The adapter's product in fewer passes over the activations than layer by layer.

peft computes W x, a copy of x in the adapter's precision, A of it, B of that, the scaling, the
sum; each is a pass over memory, and most are kept for the backward pass. Here they are one
function: the adapter's part is added within its matrix product, x is kept once for all layers
that read it, and the gradient towards x is made in place.

    y   = x W' + scaling (x A') B'
    dx  = dy W + scaling (dy B) A        only where something below is trained
    dA  = scaling (dy B)' x              dB = scaling dy' (x A')

For LoRA and rsLoRA without dropout on plain linear layers. All else (DoRA, dropout, four-bit
weights, an adapter that is switched off) stays peft's own way. On a card the norms are torch's one
kernel, too, instead of some ten passes in float32 forward and backward.
"""

from __future__ import annotations

import types
from typing import Any

import peft
import torch
from peft.tuners import lora
from torch import nn
from torch.autograd.function import once_differentiable


def install(tuned: peft.PeftModel) -> int:
    """Let the model compute so, where it can; the number of layers with an adapter that do."""
    for part in tuned.modules():
        if type(part).__name__.endswith("RMSNorm") and hasattr(part, "variance_epsilon"):
            part.forward = types.MethodType(_norm, part)
    suited = [part for part in tuned.modules() if _suits(part)]
    for part in suited:
        part.forward = types.MethodType(_forward, part)
    return len(suited)


def _norm(self: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    """Of a norm; its own on a processor, or where it is held in another precision."""
    if not hidden_states.is_cuda or hidden_states.dtype != self.weight.dtype:
        made: torch.Tensor = type(self).forward(self, hidden_states)
        return made
    return norm(hidden_states, self.weight, self.variance_epsilon)


def norm(state: torch.Tensor, weight: torch.Tensor, softness: float) -> torch.Tensor:
    """Root mean square norm of the last dimension, in float32 within the kernel."""
    # Autocast would make float32 of what comes in and what goes out.
    with torch.autocast(state.device.type, enabled=False):
        return nn.functional.rms_norm(state, weight.shape, weight, softness)


def _suits(part: nn.Module) -> bool:
    if type(part) is not lora.Linear or type(part.base_layer) is not nn.Linear:
        return False
    dropped = any(isinstance(one, nn.Dropout) for one in part.lora_dropout.values())
    biased = any(one.bias is not None for one in part.lora_B.values())
    return not (part.lora_variant or part.fan_in_fan_out or dropped or biased)


def _forward(self: Any, x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
    """Of the layer; its own where the adapter is off, merged or one of several."""
    active = self.active_adapters
    if self.disable_adapters or self.merged or len(active) != 1 or args or options:
        made: torch.Tensor = lora.Linear.forward(self, x, *args, **options)
        return made
    name = active[0]
    base = self.base_layer
    apply: Any = _Product.apply  # torch gives it no type
    found: torch.Tensor = apply(
        x, base.weight, base.bias, self.lora_A[name].weight, self.lora_B[name].weight,
        self.scaling[name],
    )  # fmt: skip
    return found


def _precision(x: torch.Tensor) -> torch.dtype:
    """In which products are computed here."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class _Product(torch.autograd.Function):
    """One linear layer with its adapter; weight and bias are frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (..., inputs)
        weight: torch.Tensor,  # (outputs, inputs)
        bias: torch.Tensor | None,  # (outputs,)
        down: torch.Tensor,  # (rank, inputs)
        up: torch.Tensor,  # (outputs, rank)
        scaling: float,
    ) -> torch.Tensor:
        exact = _precision(x)
        with torch.autocast(x.device.type, enabled=False):
            flat = x.reshape(-1, x.shape[-1]).to(exact)
            inner = flat @ down.to(exact).T  # (places, rank)
            plain = None if bias is None else bias.to(exact)
            made = nn.functional.linear(flat, weight.to(exact), plain)
            made.addmm_(inner, up.to(exact).T, alpha=scaling)
        ctx.save_for_backward(flat, inner, weight, down, up)
        ctx.scaling, ctx.shape, ctx.typed = scaling, x.shape, x.dtype
        return made.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[Any, ...]:
        flat, inner, weight, down, up = ctx.saved_tensors
        exact = flat.dtype
        with torch.autocast(slope.device.type, enabled=False):
            outer = slope.reshape(-1, slope.shape[-1]).to(exact)  # (places, outputs)
            pulled = (outer @ up.to(exact)).mul_(ctx.scaling)  # (places, rank)
            d_down = (pulled.T @ flat).to(down.dtype)
            d_up = (outer.T @ inner).mul_(ctx.scaling).to(up.dtype)
            d_x = None
            if ctx.needs_input_grad[0]:
                d_x = outer @ weight.to(exact)
                d_x.addmm_(pulled, down.to(exact))
                d_x = d_x.to(ctx.typed).view(ctx.shape)
        return d_x, None, None, d_down, d_up, None
