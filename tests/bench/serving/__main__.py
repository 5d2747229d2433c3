"""Measures; `python -m tests.bench.serving --help` tells how. See the package's docstring."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path

from tests.bench.serving import cancel, edit, four, inline, lookup, models, shared, single, waiting
from tests.bench.serving.client import Unanswered
from tests.bench.serving.peer import NotBuilt, Peer
from tests.bench.serving.report import Report, facts
from tests.bench.serving.setting import Setting

_SECTIONS = {part.NAME: part for part in (single, four, shared, inline, cancel, lookup, edit)}
_ON_REQUEST = {waiting.NAME: waiting}
_ROOT = Path(__file__).resolve().parents[3]


def main() -> int:
    """Measure and print; 0 when every target was met, 3 when one was not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        help=f"of {', '.join(_SECTIONS)} (default: all), {', '.join(_ON_REQUEST)}",
    )
    parser.add_argument("--quick", action="store_true", help="few repeats, short prompts")
    parser.add_argument("--models", default="", help=f"of {','.join(models.NAMES)}")
    parser.add_argument("--runs", type=int, help="rounds, each with every side (default 5)")
    parser.add_argument("--tries", type=int, help="repeats within `inline` and `cancel`")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=_ROOT / "out/bench/serving.json")
    given = parser.parse_args()
    chosen = tuple(filter(None, given.models.split(",")))
    if unknown := [
        *set(given.sections) - set(_SECTIONS | _ON_REQUEST),
        *set(chosen) - set(models.NAMES),
    ]:
        parser.error(f"unknown: {', '.join(unknown)}")
    try:
        report = _measure(given, chosen)
    except (NotBuilt, Unanswered) as error:
        print("\n".join([str(error), *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 1
    missed = sum(row.met is False for row in report.rows)
    print(f"{given.out}: {len(report.rows)} rows, {missed} targets not met")
    return 3 if missed else 0


def _measure(given: argparse.Namespace, chosen: tuple[str, ...]) -> Report:
    cache = Path(os.environ.get("ASSISTANT_BENCH_CACHE", _ROOT / "out/cache/llama.cpp"))
    peer = Peer(cache)
    report = Report(given.out, facts(peer))
    setting = Setting(
        peer=peer,
        models=models.Models(cache / "models", peer, given.threads),
        report=report,
        chosen=chosen,
        runs=given.runs or (2 if given.quick else 5),
        tries=given.tries,
        quick=given.quick,
    )
    print(", ".join(f"{name} {value}" for name, value in report.facts.items()), flush=True)
    # A collection in the middle of a measurement would be taken for the server's.
    gc.disable()
    for name in given.sections or _SECTIONS:
        (_SECTIONS | _ON_REQUEST)[name].run(setting)
        gc.collect()
    return report


if __name__ == "__main__":
    sys.exit(main())
