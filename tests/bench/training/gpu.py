"""The whole 8B shape on one card, weights made there: nothing is downloaded.

One microbatch of some 16,000 packed tokens a step, no gradient checkpointing; a card that has
too little memory for it gets fewer examples, and that is said. TRL follows where it can be
imported (both models do not fit together, so there are no turns; a card's clock hardly moves).
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tests.bench.training import measure, ours, report, work
from tests.bench.training.lines import Side
from tests.bench.training.rows import Row, rows
from tests.bench.training.work import Shape

EXAMPLES = (12, 9, 6, 4, 2)
"""Tried in turn: 12 are some 16,000 tokens."""
DATASHEET = 989e12
"""Dense bfloat16 FLOP/s of H100 and H200 (SXM)."""
_WARM = 2


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        shape: of the model.
        device: where.
        steps: that count.
        rate: learning rate.
        scale: of the examples' lengths.
        datasheet: FLOP/s that the maker names.
    """

    shape: Shape
    device: torch.device
    steps: int
    rate: float
    scale: float = 1.0
    datasheet: float = DATASHEET


def run(args: argparse.Namespace) -> int:
    """Measure, print and write; 1 where there is no card."""
    if not torch.cuda.is_available():
        print("8B on one GPU: not run (no CUDA card is here)")
        return 1
    from tests.bench.training.__main__ import RATE, settings_of

    device = torch.device("cuda")
    plan = Plan(work.SHAPES["full"], device, 4 * args.rounds, RATE)
    found = measured(plan)
    print(report.parts_lines(found["parts"]) + "\n")
    report.write(args.out, "card", found | {"peer": None})
    try:
        peer = None if args.alone else trl(settings_of(args) | found["asked"], args)
    except SystemExit as why:  # it does not fit, or does not start: ours is measured all the same
        print(f"TRL on that GPU: not measured: {why}")
        peer = None
    found["peer"] = peer
    whole = report.write(args.out, "card", found)
    print(report.card_line(whole["card"]))
    print(report.peer_line(found, peer))
    return 0


def measured(plan: Plan) -> dict[str, Any]:
    """Everything about our side on the card, with the most examples that fit."""
    for count in EXAMPLES:
        examples = rows(count, plan.shape.vocabulary, plan.scale)
        try:
            return _measured(plan, examples)
        except torch.cuda.OutOfMemoryError:
            print(f"{count} examples a step do not fit", file=sys.stderr)
        # Only now: within the block the error's frames still hold the model.
        gc.collect()
        torch.cuda.empty_cache()
    raise SystemExit(f"not even {EXAMPLES[-1]} examples fit into this card's memory")


def _measured(plan: Plan, examples: list[Row]) -> dict[str, Any]:
    device, shape = plan.device, plan.shape
    made = ours.build(shape, examples, device, plan.rate)
    resident = measure.resident(device)
    measure.reset_peak(device)
    losses = [ours.step(made) for _ in range(_WARM)]
    seconds = [
        measure.seconds_of(lambda: losses.append(ours.step(made)), device)
        for _ in range(plan.steps)
    ]
    peak = measure.peak(device)
    parts = [ours.parts(made, device) for _ in range(5)]
    structural = ours.structural_seconds(made, device, 5)
    product = measure.product_rate(device, 8192, 2 * shape.width, 2 * shape.width, 10)
    second = statistics.median(seconds)
    lengths = [len(row.tokens) for row in examples]
    counted = int((made.batch.weights > 0).sum())
    needed = work.needed(shape, lengths, counted).total
    published = work.published(shape, lengths).total
    return {
        "card": _name(device), "asked": {"rows": len(examples), "device": device.type,
                                         "shape": "full"},
        "lengths": lengths, "counted": counted, "seconds": seconds, "losses": losses,
        "tokens_per_second": sum(lengths) / second,
        "mfu_published": work.utilisation(published, second, plan.datasheet),
        "mfu_needed": work.utilisation(needed, second, plan.datasheet),
        "mfu_measured": work.utilisation(needed, second, product),
        "datasheet": plan.datasheet, "product": product, "peak": peak, "resident": resident,
        "structural_seconds": structural, "structural_share": structural / (second + structural),
        "parts": {name: statistics.median(one[name] for one in parts) for name in parts[0]},
        "torch": torch.__version__,
    }  # fmt: skip


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def trl(settings: dict[str, Any], args: argparse.Namespace) -> dict[str, Any] | None:
    """The same work by TRL in a process of its own; None where it is not installed.

    Packed rows need flash attention there: with another one it computes every document's attention
    to every other, which would be no comparison, so it is not run unless it is asked for by name.
    """
    from importlib.util import find_spec

    if find_spec("trl") is None or not (args.attention or find_spec("flash_attn")):
        return None
    settings = settings | {"attention": args.attention or "flash_attention_2"}
    rounds = args.rounds
    gc.collect()
    torch.cuda.empty_cache()
    side = Side(
        "TRL", Path(sys.executable), "tests.bench.training.side_trl", settings,
        {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        taken = [side.ask("step") for _ in range(rounds + _WARM)][_WARM:]
    finally:
        side.stop()
    second = statistics.median(one["seconds"] for one in taken)
    return {
        "tokens_per_second": side.ready["tokens"] / second,
        "peak": max(one["peak"] for one in taken), "versions": side.ready["versions"],
    }  # fmt: skip
