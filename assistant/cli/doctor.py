"""`assistant doctor`: is there anything that keeps an answer from appearing?"""

from __future__ import annotations

import argparse
import json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="check everything that can keep an answer from appearing",
        description="Check everything that can keep an answer from appearing, and say what to do. "
        "Exit code 0: no problem; 1: a problem. The engine is started when it does not run.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, a check each")


def run(args: argparse.Namespace) -> int:
    """Run every check and print what it found."""
    from assistant.cli import terminal
    from assistant.doctor import State, diagnose, lines

    problems = 0
    for check, finding in diagnose():
        problems += finding.state is State.PROBLEM
        if args.json:
            body = {"check": check.name, "state": finding.state.value}
            print(json.dumps(body | {"message": finding.message, "advice": finding.advice}))
            continue
        for line in lines(check, finding):
            print(terminal.visible(line))
    return 1 if problems else 0
