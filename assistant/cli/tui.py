"""`assistant tui`: the terminal interface."""

from __future__ import annotations

import argparse
import sys

from assistant.cli import terminal
from assistant.errors import UsageProblem


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    subparsers.add_parser(
        "tui",
        help="the terminal interface (also without any command)",
        description="Open the terminal interface.",
        allow_abbrev=False,
    )


def run(args: argparse.Namespace) -> int:
    """Run it until the user leaves."""
    if not (terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stdout)):
        raise UsageProblem(
            "The terminal interface needs a terminal on stdin and stdout.",
            hint='Without one, ask directly: assistant ask "..."',
        )
    from tui.app import main

    return main()
