"""What tuning trains, on how much, and what that takes of a graphics card."""

from __future__ import annotations

from training.plan import corpus as data
from training.plan import memory, shapes, speed
from training.plan.corpus import Corpus
from training.plan.numbers import Estimate, scaled, size
from training.plan.shapes import Shape
from training.progress import duration
from training.settings import Settings


def trained(settings: Settings, shape: Shape, ahead: Corpus) -> list[Estimate]:
    """Weights of the adapter, tokens and steps."""
    adapter = settings.adapter
    count = shapes.trainable(shape, adapter)
    tokens, steps, formula = data.budget(settings, ahead)
    step = adapter.batch_tokens * adapter.accumulate
    return [
        Estimate(
            "trainable",
            f"{count:,}" + (f" ({scaled(count)})" if count >= 1e6 else ""),
            f"{shape.layers} layers x {adapter.rank} x (rows + columns) of each target "
            f"({adapter.targets})" + (" + rows" if adapter.kind == "dora" else ""),
        ),
        Estimate("tokens", f"{tokens:,}", formula),
        Estimate(
            "steps",
            f"{steps:,}",
            f"tokens / ({adapter.batch_tokens:,} x {adapter.accumulate}); "
            f"{step / max(ahead.tokens, 1):.0f} examples in each, about",
        ),
    ]


def on_a_card(settings: Settings, shape: Shape, ahead: Corpus) -> list[Estimate]:
    """Memory of the card, operations, time and money."""
    held = memory.parts(settings, shape, ahead)
    total = sum(part for _, part, _ in held)
    lines = [Estimate("GPU memory", size(total), " + ".join(what for what, _, _ in held))]
    lines += [Estimate(f"GPU memory, {what}", size(part), how) for what, part, how in held]
    tokens, _, _ = data.budget(settings, ahead)
    flops, formula = speed.flops_a_token(shape, settings, ahead.tokens)
    lines.append(Estimate("operations a token", f"{flops / 1e9:,.1f} GFLOP", formula))
    devices = [device for device in (speed.H200, speed.RTX_4090) if total <= device.memory]
    for device in devices:
        lines += _time(device, settings, flops, tokens)
    if not devices:
        less = "--set adapter.recompute=true, or fewer adapter.batch_tokens (more accumulate)"
        lines.append(Estimate("GPU hours", "not on one of these cards", less))
    return lines


def _time(device: speed.Device, settings: Settings, flops: float, tokens: int) -> list[Estimate]:
    """On one card; money where such cards are let."""
    share = speed.structural_share(settings)
    rate = device.flops / flops / (1 + share)
    hours = tokens / rate / 3600
    of_loss = f" / {1 + share:g} for L_s (assumption)" if share else ""
    lines = [
        Estimate(
            f"speed on one {device.name}",
            f"{rate:,.0f} tokens a second",
            f"{device.flops / 1e12:,.0f} TFLOP/s / {flops / 1e9:,.1f} GFLOP{of_loss}; "
            f"{device.source}",
        ),
        Estimate(
            f"GPU hours on one {device.name}",
            f"{hours:,.{1 if hours >= 1 else 2}f} ({duration(3600 * hours)})",
            f"{tokens:,} tokens / {rate:,.0f} a second",
        ),
    ]
    if device.usd_an_hour:
        usd = device.usd_an_hour
        lines.append(
            Estimate(
                "money",
                f"{hours * usd:,.2f} USD",
                f"{hours:,.2f} hours x {usd:g} USD (assumption: a rented card)",
            )
        )
    return lines
