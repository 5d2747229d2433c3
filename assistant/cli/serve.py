"""`assistant serve`: start the engine daemon. Clients do so by themselves when they need it."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from assistant.cli import terminal
from assistant.errors import UsageProblem

if TYPE_CHECKING:
    from assistant.config import Resolved


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "serve",
        help="start the engine (clients start it by themselves)",
        description="Start the engine, one process for all editors and terminals of a user.",
        allow_abbrev=False,
    )
    parser.add_argument("--model", metavar="M", help="the model to load")
    parser.add_argument(
        "--foreground", action="store_true", help="stay here and log to stderr; Ctrl-C ends it"
    )


def run(args: argparse.Namespace) -> int:
    """Start it, or be it."""
    from assistant import config

    resolved = config.load({"model": args.model})
    if url := resolved.settings.endpoint.url:
        raise UsageProblem(
            f"The settings send requests to the endpoint {url}, so no engine is needed here.",
            hint=f"To use the local engine, remove endpoint.url "
            f"(from {resolved.origins['endpoint.url']}).",
        )
    return _foreground(resolved) if args.foreground else asyncio.run(_background(resolved))


async def _background(resolved: Resolved) -> int:
    from assistant.connecting import open_connection
    from assistant.daemon import crashes

    # Whoever starts it by hand wants another try.
    crashes.forget()
    connection = await open_connection(resolved)
    try:
        status = await connection.status()
    finally:
        await connection.aclose()
    terminal.say(f"The engine runs (pid {status['pid']}) with {status['model']['id']}.")
    return 0


def _foreground(resolved: Resolved) -> int:
    from assistant.daemon import lifecycle
    from assistant.engine.types import EngineSettings
    from assistant.models import store

    settings = resolved.settings
    path = store.resolve(settings.model)
    options = lifecycle.Options(
        model_path=path,
        model_name=store.name_of(path),
        idle_seconds=settings.daemon.idle_minutes * 60,
        engine=EngineSettings(
            context_length=settings.daemon.context_length or None,
            threads=settings.daemon.threads or None,
        ),
        started_by="assistant serve --foreground",
        foreground=True,
    )
    terminal.say("The engine starts here and logs below; Ctrl-C ends it.")
    return lifecycle.serve(options)
