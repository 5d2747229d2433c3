"""`assistant eval-compare`: two evaluations, task by task."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

_EPILOG = """\
Both folders are of `assistant eval`, of the same benchmark, data, prompt and extraction.
Only tasks that both judged are compared; differences are second minus first.

example:
  assistant eval-compare runs/eval/before runs/eval/after
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "eval-compare",
        help="compare two evaluations of the same tasks",
        description="Compare two evaluations: the difference with its interval, and a test of it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("first", type=Path, metavar="DIR", help="the folder of one")
    parser.add_argument("second", type=Path, metavar="DIR", help="the folder of the other")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare; the exit code."""
    from assistant.benchmarks import comparison

    found = comparison.compare(args.first, args.second)
    print(json.dumps(found, indent=2) if args.json else comparison.table(found))
    return 0
