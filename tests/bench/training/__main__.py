"""Both sides in turn on this machine's processor, or ours on a card: `make bench-train`.

make bench-train [ARGS="--rounds 4 --rows 2 --threads 2"]
make bench-train ARGS=--gpu        the whole 8B shape, in about eight minutes
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.training import peer, report, work
from tests.bench.training.lines import ROOT, Side
from tests.bench.training.rows import rows

RATE = 2e-4
"""Learning rate of both sides, constant."""
MAX_LENGTH = 2048
"""The paper's; both sides pack into rows of it, TRL then puts them one behind the other."""
_NEEDED_GIB = 20
OURS, TRL = "ours", "TRL 1.16 SFTTrainer + peft"


def arguments() -> argparse.Namespace:
    """What may be typed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.training", description=__doc__)
    parser.add_argument("--gpu", action="store_true", help="the whole 8B shape on one card")
    parser.add_argument("--rounds", type=int, default=4, help="counted steps of each side (4)")
    parser.add_argument("--rows", type=int, default=2, help="examples in a step (2)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of each side")
    parser.add_argument("--shape", choices=sorted(work.SHAPES), default="slice")
    parser.add_argument("--scale", type=float, default=1.0, help="of the examples' lengths")
    parser.add_argument(
        "--attention", default="", help="TRL's (sdpa; on a card flash_attention_2, if installed)"
    )
    parser.add_argument("--loss", default="nll", help="TRL's (nll, its default: fused)")
    parser.add_argument("--alone", action="store_true", help="ours without TRL")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench-train.json")
    return parser.parse_args()


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """What both sides are told."""
    return {
        "shape": args.shape, "rows": args.rows, "scale": args.scale, "threads": args.threads,
        "device": "cpu", "rate": RATE, "max_length": MAX_LENGTH,
        "attention": args.attention or "sdpa",
        "loss": args.loss, "folder": str(peer.PLACE / "trl"),
    }  # fmt: skip


def start(args: argparse.Namespace) -> dict[str, Side]:
    """The sides, ready; ours first."""
    # Threads that wait for the other side's step must sleep and not spin.
    environment = {
        "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(args.threads),
        "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1",
        "HF_HOME": str(peer.PLACE / "cache"), "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    settings = settings_of(args)
    module = "tests.bench.training.side_"
    sides = {OURS: Side(OURS, Path(sys.executable), module + "ours", settings, environment)}
    if not args.alone:
        sides[TRL] = Side(TRL, peer.prepare(), module + "trl", settings, environment)
    return sides


def measure(sides: dict[str, Side], rounds: int) -> list[report.Steps]:
    """One step of each side that does not count, then the rounds; who is first alternates."""
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        order = list(sides) if number % 2 else list(reversed(sides))
        for name in order:
            taken[name].append(sides[name].ask("step"))
            last = taken[name][-1]
            print(
                f"  round {number}: {name} {last['seconds']:.1f} s, loss {last['loss']:.4f}, "
                f"peak {last['peak'] / report.GIB:.2f} GiB", file=sys.stderr, flush=True,
            )  # fmt: skip
        if number == 0 and len(sides) == 2:
            first = [_steps(name, sides[name], taken[name]) for name in sides]
            if found := report.different(*first):
                raise SystemExit("the sides do not do the same work:\n  " + "\n  ".join(found))
    return [_steps(name, sides[name], taken[name], skip=1) for name in sides]


def _steps(name: str, side: Side, taken: list[dict[str, Any]], skip: int = 0) -> report.Steps:
    counted = taken[skip:]
    return report.Steps(
        name,
        tuple(one["seconds"] for one in counted),
        tuple(one["busy"] for one in counted),
        side.ready["tokens"],
        side.ready["counted"],
        max(one["peak"] for one in taken),
        side.ready["resident"],
        side.ready["trained"],
        tuple(one["loss"] for one in taken),
    )


def on_processor(args: argparse.Namespace) -> bool:
    """Measure, print, write; whether the aims are met."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / report.GIB
    if args.shape == "slice" and free < _NEEDED_GIB / 2:
        print(f"only {free:.0f} GiB of memory are free: the sides need up to {_NEEDED_GIB}")
    shape = work.SHAPES[args.shape]
    lengths = [len(row.tokens) for row in rows(args.rows, shape.vocabulary, args.scale)]
    sides = start(args)
    try:
        taken = measure(sides, args.rounds)
        extra = sides[OURS].ask("parts")
    finally:
        for side in sides.values():
            side.stop()
    ours = taken[0]
    parts = extra["parts"]
    layers = parts["layers, forward"] + parts["layers, backward"]
    structural = report.Structural(extra["structural"], ours.second, layers, shape)
    print(f"\n{args.rows} examples of {min(lengths)} to {max(lengths)} tokens a step, ")
    print(
        f"{shape.layers} layers of the 8B shape, {args.threads} threads, {_processor()}; "
        f"a matrix product reaches {extra['product'] / 1e9:.0f} GFLOP/s in bfloat16\n"
    )
    print(report.side_lines(shape, lengths, taken, extra["product"]) + "\n")
    print(report.parts_lines(parts) + "\n")
    met = structural.share(work.SHAPES["full"].layers) <= report.AIM_STRUCTURAL
    if not args.alone:
        reached, text = report.verdict(*taken)
        print(f"ours: {text}; aim 1.25 times in the same memory, or half of it: "
              f"{'met' if reached else 'NOT MET'}")  # fmt: skip
        met = met and reached
    print(report.structural_lines(structural))
    whole = report.write(
        args.out,
        "processor",
        {
            "shape": asdict(shape), "lengths": lengths, "threads": args.threads,
            "processor": _processor(), "product": extra["product"], "parts": parts,
            "structural": asdict(structural), "sides": [report.plain(side) for side in taken],
            "versions": {name: side.ready["versions"] for name, side in sides.items()},
            "settings": settings_of(args),
        },
    )  # fmt: skip
    print(report.card_line(whole.get("card")))
    return met


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def main() -> int:
    """Run what was asked for; 0 also where an aim is missed: it is told, not asserted."""
    args = arguments()
    if args.gpu:
        from tests.bench.training import gpu

        return gpu.run(args)
    on_processor(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
