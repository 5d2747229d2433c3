"""The losses by themselves: values and gradients against float64, memory of the chunks."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from training.gpu_check.models import PIECES, VOCABULARY, WIDTH, gradient, small_encoder, tiny
from training.gpu_check.telling import Failed, apart, hold, seeded
from training.losses.alignment import Reference
from training.losses.encoders import StudentEncoder
from training.losses.pooling import Centring
from training.losses.projection import Projection
from training.losses.structural import Arm, Places, StructuralLoss
from training.losses.token import token_loss


def token_loss_as_plain(device: torch.device) -> str:
    """Chunked and in float32 and bfloat16 it is the plain one in float64."""
    places, head = seeded(0, 200, WIDTH), seeded(1, VOCABULARY, WIDTH)
    targets = torch.arange(200) % VOCABULARY
    weights = (torch.arange(200) % 3 > 0).double()
    told = []
    for dtype, most in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        rounded = places.to(dtype).double().requires_grad_()
        matrix = head.to(dtype).double()
        each = functional.cross_entropy(rounded @ matrix.T, targets, reduction="none")
        right = (each * weights).sum() / weights.sum()
        torch.autograd.backward(right)
        hidden = places.to(device, dtype).requires_grad_()
        found = token_loss(
            hidden, head.to(device, dtype), targets.to(device), weights.float().to(device), chunk=64
        ).loss
        torch.autograd.backward(found)
        assert hidden.grad is not None and rounded.grad is not None
        name = str(dtype).removeprefix("torch.")
        told.append(hold(f"{name}: loss", abs(found.item() - right.item()), most))
        told.append(hold("gradient", apart(hidden.grad, rounded.grad), most))
    return ", ".join(told)


def token_loss_memory(device: torch.device) -> str:
    """The logits of a batch are never in memory."""
    places, width, vocabulary, chunk = (
        (8192, 512, 128_256, 1024) if device.type == "cuda" else (512, 32, 8192, 64)
    )
    hidden = torch.randn(places, width, device=device, dtype=torch.bfloat16, requires_grad=True)
    head = torch.randn(vocabulary, width, device=device, dtype=torch.bfloat16)
    targets = torch.zeros(places, dtype=torch.int64, device=device)
    weights = torch.ones(places, device=device)

    def work() -> None:
        torch.autograd.backward(token_loss(hidden, head, targets, weights, chunk=chunk).loss)

    full = 4.0 * places * vocabulary
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        held, what = float(torch.cuda.max_memory_allocated(device) - before), "peak"
    else:
        with _Largest() as seen:
            work()
        held, what = float(seen.bytes), "largest tensor"
    return hold(f"{what} over the full logits' {full / 2**20:.0f} MiB", held / full, 0.5)


class _Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every tensor that is made; torch counts a processor's memory in no other way."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor):
                self.bytes = max(self.bytes, one.numel() * one.element_size())
        return made


def arm_gradients(device: torch.device) -> str:
    """Every arm's gradient is that of the processor in float64."""
    told = []
    for arm in Arm:
        if arm in (Arm.OFF, Arm.PLACEBO):
            continue
        found = _arm_gradient(arm, device, torch.float32)
        right = _arm_gradient(arm, torch.device("cpu"), torch.float64)
        told.append(hold(arm.value, apart(found, right), 2e-3))
    return ", ".join(told)


def soft_differences(device: torch.device) -> str:
    """The soft arm's gradient is that of finite differences, in float64."""
    loss, places, pulled = _structural(Arm.SOFT, device, torch.float64)
    torch.autograd.backward(loss(places).sum())
    assert pulled.grad is not None
    way = seeded(5, *pulled.shape).to(device)
    with torch.no_grad():
        sides = [
            loss(_with_values(places, pulled.detach() + side * way)).sum().item()
            for side in (1e-6, -1e-6)
        ]
    right = (sides[0] - sides[1]) / 2e-6
    found = (pulled.grad * way).sum().item()
    return hold("derivative along a random way", abs(found - right) / abs(right), 1e-4)


def _with_values(places: Places, values: torch.Tensor) -> Places:
    return Places(values, places.tokens, places.targets, places.references, places.ends)


def _arm_gradient(arm: Arm, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    loss, places, pulled = _structural(arm, device, dtype)
    torch.autograd.backward(loss(places).sum())
    assert pulled.grad is not None
    if not pulled.grad.abs().sum() > 0:
        raise Failed(f"{arm.value}: there is no gradient")
    return pulled.grad


def _structural(
    arm: Arm, device: torch.device, dtype: torch.dtype
) -> tuple[StructuralLoss, Places, torch.Tensor]:
    """L_s of one arm, what it sees, and the tensor that it pulls at."""
    sizes = (9, 14)
    total = sum(sizes)
    values = (3.0 * seeded(2, total, VOCABULARY)).topk(16)
    pulled = values.values.to(device, dtype).requires_grad_()
    ends = seeded(3, len(sizes), WIDTH).to(device, dtype)
    if arm is Arm.PROJECTION:
        pulled = ends.requires_grad_()
    targets = (torch.arange(total) * 7 % VOCABULARY).to(device)
    shown = values.values.to(device, dtype) if arm is Arm.PROJECTION else pulled
    if arm is Arm.STUDENT_ENCODER:
        shared = StudentEncoder(tiny(device).to(dtype), 1)
        loss = StructuralLoss(shared, shared.table.detach(), arm)
        pieces = [targets[:9].cpu(), targets[9:].cpu()]
        known = [Reference(p, torch.arange(len(p)), len(p)) for p in pieces]
    else:
        encoder = small_encoder(device, dtype)
        width = encoder.table.shape[1]
        matrix = seeded(4, VOCABULARY, width).to(device, dtype)
        torch.manual_seed(3)
        head = Projection(WIDTH, width).to(device, dtype)
        centre = Centring(seeded(6, width).to(device, dtype) * 0.1)
        loss = StructuralLoss(
            encoder, matrix, arm, window=11, projection=head, centring=centre,
            sampler=lambda logs: torch.arange(len(logs), device=logs.device) % 3,
        )  # fmt: skip
        known = [
            Reference(torch.arange(5, 5 + 2 * n) % PIECES, torch.arange(2 * n) // 2, n)
            for n in sizes
        ]
    return loss, Places(shown, values.indices.to(device), targets, known, ends), pulled


def placebo_is_token_loss(device: torch.device) -> str:
    """The placebo's gradient is the token loss's, to the last bit; a real arm's is not."""
    off, placebo, real = (
        _whole_gradient(arm, device) for arm in (Arm.OFF, Arm.PLACEBO, Arm.STRAIGHT_THROUGH)
    )
    if not torch.equal(off, placebo):
        raise Failed(f"gradients differ by {apart(placebo, off):.1e}")
    if torch.equal(off, real):
        raise Failed("the straight-through arm has no gradient either")
    return f"{len(off)} values are equal; straight-through moves them by {apart(real, off):.1e}"


def _whole_gradient(arm: Arm, device: torch.device) -> torch.Tensor:
    tuned = tiny(device)
    base: Any = tuned.get_base_model()
    tokens = (torch.arange(24) * 5 % VOCABULARY).to(device)
    hidden = base.model(input_ids=tokens[None, :-1]).last_hidden_state[0]
    code = torch.zeros(23, dtype=torch.bool, device=device)
    code[-14:] = True
    found = token_loss(
        hidden, base.lm_head.weight, tokens[1:], torch.ones(23, device=device), emit=code, top_k=16
    )
    loss, _, _ = _structural(arm, device, torch.float32)
    known = [Reference(torch.arange(5, 25), torch.arange(20) * 14 // 20, 14)]
    places = Places(found.values, found.tokens, tokens[1:][code], known)
    torch.autograd.backward(0.6 * found.loss + 0.4 * loss(places).mean())
    return gradient(tuned)
