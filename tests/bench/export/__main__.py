"""From adapter to GGUF at 8B size, ours beside the usual way: `make bench-export`.

make bench-export [ARGS="--layers 2"]       a small trial
make bench-export [ARGS="--only ours"]      one side alone
make bench-export [ARGS="--keep"]           base, adapter and both Q4_K_M files stay
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.export import cold, model, peer, report, sides, space
from tests.bench.export.measuring import Failed
from tests.bench.serving.peer import NotBuilt
from tests.bench.serving.report import processor
from tests.bench.training.work import SHAPES, Shape
from tests.support.llama3_student import llama_tokenizer_of

_MADE, _BASE = "made.json", "random-8b"
_RSLORA = True


def arguments() -> argparse.Namespace:
    """What may be typed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.export", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--layers", type=int, default=32, help="of the model (32: all of 8B)")
    parser.add_argument("--only", choices=(sides.OURS, sides.USUAL), help="one side alone")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of each side")
    parser.add_argument("--keep", action="store_true", help="leave base, adapter and Q4_K_M files")
    parser.add_argument(
        "--folder", type=Path, default=peer.PLACE / "files", help="for all large files"
    )
    parser.add_argument(
        "--out", type=Path, default=sides.ROOT / "out", help="folder of the report (out)"
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; 0 when all aims are met, 3 when one is not."""
    shape = replace(SHAPES["full"], layers=args.layers)
    names = (args.only,) if args.only else (sides.USUAL, sides.OURS)
    args.folder.mkdir(parents=True, exist_ok=True)
    sizes = space.sizes(shape)
    made = args.folder / _BASE / _MADE
    there = sizes.base + sizes.adapter if _is_made(made, shape) else 0
    print(space.check(args.folder, sizes.widest(names), there))
    if sides.USUAL in names and sizes.merging > space.available():
        print(
            f"memory: {space.available() / 1e9:.0f} GB are available and peft's merge takes about "
            f"{sizes.merging / 1e9:.0f} GB: the kernel may kill it"
        )
    tools = peer.tools()
    if sides.USUAL in names:  # made now, so that nobody waits an hour for what then fails
        print(f"quantiser: {tools.quantiser}; converter's Python: {tools.python}")
    base, adapter = _prepare(args.folder, shape, tools)
    bench = sides.Bench(base, adapter, args.folder, tools, args.threads, args.keep)
    facts = _facts(shape, args.threads)
    found: list[sides.Side] = []

    def told(side: sides.Side) -> None:
        found.append(side)
        report.write(args.out, facts, found)

    try:
        sides.measure(bench, names, told)
    finally:
        if not args.keep:
            shutil.rmtree(base)
            shutil.rmtree(adapter)
    text = report.write(args.out, facts, found)
    print(f"\n{text.read_text(encoding='utf-8')}\nwritten to {text}")
    return 0 if all(aim.met is not False for aim in report.aims(found)) else 3


def _prepare(folder: Path, shape: Shape, tools: peer.Tools) -> tuple[Path, Path]:
    """Base and adapter, written unless they are there."""
    base, adapter = folder / _BASE, folder / "adapter"
    if not _is_made(base / _MADE, shape):
        print(f"writing the base and the adapter to {folder} ...", flush=True)
        for old in (base, adapter):
            shutil.rmtree(old, ignore_errors=True)
        tokenizer = llama_tokenizer_of(tools.words)
        silent = np.array(tools.silent())
        model.write_base(base, shape, tokenizer, tools.template, silent)
        model.write_adapter(adapter, shape, base, rslora=_RSLORA)
        cold.flushed([base, adapter])
        (base / _MADE).write_text(json.dumps(_made(shape)), encoding="utf-8")
    return base, adapter


def _made(shape: Shape) -> dict[str, Any]:
    return {"version": 1, "shape": asdict(shape), "rslora": _RSLORA}


def _is_made(path: Path, shape: Shape) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == _made(shape))
    except (OSError, ValueError):
        return False


def _facts(shape: Shape, threads: int) -> dict[str, Any]:
    kind = "rsLoRA" if _RSLORA else "LoRA"
    whole = "" if shape == SHAPES["full"] else f"; a trial with {shape.layers} of 32 layers"
    packages = ("torch", "transformers", "peft", "gguf", "llama-cpp-python")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "model": f"Llama-3.1-8B's shape, {kind} of rank {shape.rank} on 7 linear layers{whole}",
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory:.1f} GB, {threads} threads",
        "system": platform.platform(),
        "load at the start": round(os.getloadavg()[0], 2),
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
    }


def main() -> int:
    """Run what was asked for; 1 where a command failed or there is no room."""
    try:
        return run(arguments())
    except (Failed, NotBuilt, space.NoRoom) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
