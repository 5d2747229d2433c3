"""L_token: cross-entropy of the next token, without the logits of a batch ever being in memory.

With 128,256 tokens the logits of a batch take more memory than the model. So places that do not
count are dropped first, the others go through the head some at a time, and each chunk's gradient
is made at once, while its logits are there. The backward pass only scales what is stored. A
frozen head gets no gradient, and none is computed.

The structural loss looks at the same logits: on request the top k of some places come out too,
with a gradient that needs only the k rows of the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

CHUNK = 1024
"""Places that go through the head together; 1,024 x 128,256 float32 logits are 0.5 GB."""


@dataclass(frozen=True)
class TokenLoss:
    """L_token and the logits that were asked for.

    Attributes:
        loss: in nats, a scalar.
        values: the highest logits of each emitted place, falling; shape ``(emitted, k)``.
        tokens: whose logits they are, int64, shape ``(emitted, k)``.
    """

    loss: torch.Tensor
    values: torch.Tensor
    tokens: torch.Tensor


def token_loss(
    hidden: torch.Tensor,
    head: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    *,
    total: float | torch.Tensor | None = None,
    emit: torch.Tensor | None = None,
    top_k: int = 0,
    chunk: int = CHUNK,
) -> TokenLoss:
    """Weighted mean of the cross-entropy.

    Args:
        hidden: what the head is applied to, shape ``(places, width)``.
        head: its matrix, shape ``(vocabulary, width)``.
        targets: int64, shape ``(places,)``: the token that comes next.
        weights: shape ``(places,)``: 0 leaves a place out.
        total: what the sum is divided by. A caller that splits a batch must give the weight of
            the whole batch, or short rows count too much; None is that of these places.
        emit: bool, shape ``(places,)``: whose logits come out too; None is nobody's.
        top_k: how many for each; 0 is all.
        chunk: places that go through the head together; changes memory and no value.
    """
    wanted = torch.zeros_like(weights, dtype=torch.bool) if emit is None else emit
    keep = ((weights > 0) | wanted).nonzero().squeeze(1)
    exact = torch.promote_types(hidden.dtype, torch.float32)
    counted = weights[keep].to(exact)
    apply: Any = _Chunked.apply  # torch gives it no type
    summed, values, tokens = apply(
        hidden[keep], head, targets[keep], counted, wanted[keep], top_k or len(head), chunk
    )
    divisor = counted.sum().clamp(min=1e-8) if total is None else total
    return TokenLoss(summed / divisor, values, tokens)


class _Chunked(torch.autograd.Function):
    """(sum of the weighted losses, top values, top tokens); the gradient is made in forward."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,  # (places, width)
        head: torch.Tensor,  # (vocabulary, width)
        targets: torch.Tensor,  # (places,)
        weights: torch.Tensor,  # (places,)
        emit: torch.Tensor,  # (places,)
        top_k: int,
        chunk: int,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ctx.set_materialize_grads(False)
        to_hidden, to_head = ctx.needs_input_grad[:2]
        matrix = head.to(hidden.dtype)
        k = min(top_k, len(head))
        summed = weights.new_zeros(())
        d_hidden = torch.zeros_like(hidden) if to_hidden else None
        d_head = torch.zeros_like(head, dtype=weights.dtype) if to_head else None
        values = [weights.new_zeros((0, k))]
        tokens = [targets.new_zeros((0, k))]
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(hidden), chunk):
                part = slice(start, start + chunk)
                logits = (hidden[part] @ matrix.T).to(weights.dtype)  # (chunk, vocabulary)
                shown = logits[emit[part]]
                if len(shown):
                    highest = torch.topk(shown, k, dim=-1)
                    values.append(highest.values)
                    tokens.append(highest.indices)
                normal = torch.logsumexp(logits, -1, keepdim=True)  # (chunk, 1)
                right = targets[part, None]
                summed += ((normal - logits.gather(1, right)).squeeze(1) * weights[part]).sum()
                if d_hidden is None and d_head is None:
                    continue
                # In place: softmax - onehot, weighted, where the logits were.
                slope = logits.sub_(normal).exp_()
                slope.scatter_add_(1, right, slope.new_full(right.shape, -1.0))
                slope.mul_(weights[part, None])
                slope = slope.to(matrix.dtype)
                if d_hidden is not None:
                    d_hidden[part] = slope @ matrix
                if d_head is not None:
                    d_head += slope.T @ hidden[part]
        top_values, top_tokens = torch.cat(values), torch.cat(tokens)
        ctx.save_for_backward(d_hidden, d_head, head, top_tokens, emit, hidden if to_head else None)
        ctx.mark_non_differentiable(top_tokens)
        ctx.chunk = chunk
        return summed, top_values, top_tokens

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_sum: torch.Tensor | None, d_values: torch.Tensor | None, _: Any
    ) -> tuple[Any, ...]:
        d_hidden, d_head, head, tokens, emit, hidden = ctx.saved_tensors
        d_hidden = _scaled(d_hidden, d_sum)
        d_head = _scaled(d_head, d_sum)
        if d_values is not None and len(tokens):
            at = emit.nonzero().squeeze(1)
            if d_hidden is not None:
                for start in range(0, len(at), ctx.chunk):
                    part = slice(start, start + ctx.chunk)
                    rows = head[tokens[part]].to(d_values.dtype)  # (chunk, k, width)
                    found = torch.einsum("nk,nkd->nd", d_values[part], rows)
                    d_hidden[at[part]] += found.to(d_hidden.dtype)
            if d_head is not None:
                states = hidden[at].to(d_values.dtype)  # (emitted, width)
                outer = d_values[:, :, None] * states[:, None, :]
                d_head.index_add_(0, tokens.flatten(), outer.flatten(0, 1).to(d_head.dtype))
        typed = None if d_head is None else d_head.to(head.dtype)
        return d_hidden, typed, None, None, None, None, None


def _scaled(gradient: torch.Tensor | None, by: torch.Tensor | None) -> torch.Tensor | None:
    """A new tensor: the stored one must last for another backward pass."""
    if gradient is None:
        return None
    return torch.zeros_like(gradient) if by is None else gradient * by.to(gradient.dtype)
