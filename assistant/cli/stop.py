"""`assistant stop`: end the engine daemon."""

from __future__ import annotations

import argparse
import asyncio

from assistant.cli import terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    subparsers.add_parser(
        "stop",
        help="end the engine; answers in work are cancelled",
        description="End the engine and give its memory back; answers in work are cancelled. "
        "One that does not listen any more is ended by force.",
        allow_abbrev=False,
    )


def run(args: argparse.Namespace) -> int:
    """End it, and say whether there was anything to end."""
    from assistant.client.stop import stop

    pid = asyncio.run(stop())
    if pid is None:
        terminal.say("The engine does not run.")
    else:
        terminal.say(f"The engine (pid {pid}) has ended.")
    return 0
