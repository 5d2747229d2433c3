"""`assistant experiments`: a set of training arms over seeds, and the table of what it shows."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from assistant.errors import AssistantError, UsageProblem

_EPILOG = """\
Without SET: the sets that there are. Each run is a folder OUT/ARM/seed-N like that of `assistant
train`; stages that arms have in common are made once. The same command goes on after Ctrl-C or a
kill, and tries what has failed again. results.json, results.md and results.html are written after
each run. What each set asks and how to read the table: docs/experiments.md

exit codes: 0 every run is done, 3 some have failed, 1 error, 2 wrong usage, 130 interrupted (what
is done is kept).

examples:
  assistant experiments
  assistant experiments world-arms --list
  assistant experiments world-arms --dry-run
  assistant experiments world-arms --seeds 3 --out runs/experiments/world-arms
  assistant experiments world-arms --arm soft --arm placebo --seeds 1
  assistant experiments paper-ablation --set contexts.teacher=http://localhost:8000/v1
"""
_NEEDED = ("torch", "llama_cpp")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "experiments",
        help="run a set of training arms over seeds and write the table",
        description="Run a set of training arms over seeds, and write the table and the plots.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("set", nargs="?", metavar="SET", help="which; without it they are listed")
    parser.add_argument("--list", action="store_true", help="list the sets, or the arms of SET")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="run each arm with the seeds 1 to N (default: 3)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the set's folder (default: runs/experiments/SET)"
    )
    parser.add_argument(
        "--arm", dest="arms", action="append", default=[], metavar="NAME",
        help="run this arm alone; may be given more than once",
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
        help="change one setting of all arms; may be given more than once",
    )  # fmt: skip
    parser.add_argument(
        "--own-base", action="store_true",
        help="each seed makes its own problems and base, instead of sharing those of seed 1",
    )  # fmt: skip
    parser.add_argument(
        "--shared", type=Path, metavar="DIR",
        help="folder of the stages that arms share, for several sets (default: OUT/shared)",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, metavar="PATH",
        help="a folder with data sets and benchmarks (default: ASSISTANT_DATA)",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true",
        help="print arms, settings, plan and estimates; start nothing",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit code."""
    # Sets and plans need no torch; a stage imports it when it runs.
    from training.experiments import describe, sets

    if args.set is None:
        print(describe.listing(sets.sets().values()))
        return 0
    chosen = sets.find(args.set)
    if args.list:
        print(describe.arms(chosen))
        return 0
    from training.experiments.work import Work

    seeds = sets.DEFAULT_SEEDS if args.seeds is None else args.seeds
    if seeds < 1:
        raise UsageProblem(f"--seeds must be 1 or more, not {seeds}.")
    out = args.out or Path("runs") / "experiments" / chosen.name
    work = Work(
        chosen, seeds, out, tuple(args.overrides), tuple(args.arms), args.data, args.own_base,
        args.shared,
    )  # fmt: skip
    if args.dry_run:
        print(describe.dry_run(work))
        return 0
    for module in _NEEDED:
        if find_spec(module) is None:
            raise AssistantError(
                f"experiments need {module}, which is not installed",
                hint="pip install 'assistant[train,local]'",
            )
    from training.experiments import results, running

    failed = running.run_set(work)
    print((out / results.MARKDOWN).read_text(encoding="utf-8"), end="")
    return 3 if failed else 0
