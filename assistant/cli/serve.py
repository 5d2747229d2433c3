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
    parser.add_argument(
        "--loopback",
        metavar="PORT",
        type=int,
        nargs="?",
        const=0,
        help="listen on 127.0.0.1, too (any free port unless one is given); "
        "the port and the token that it asks for are in the state folder's daemon.json",
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
    if args.loopback is not None and not 0 <= args.loopback < 65536:
        raise UsageProblem(f"--loopback is {args.loopback}; a port is from 1 to 65535, 0 is any.")
    if args.foreground:
        return _foreground(resolved, args.loopback)
    return asyncio.run(_background(resolved, args.loopback))


async def _background(resolved: Resolved, loopback: int | None) -> int:
    from assistant.connecting import open_connection
    from assistant.daemon import crashes

    # Whoever starts it by hand wants another try.
    crashes.forget()
    connection = await open_connection(resolved, loopback=loopback)
    try:
        status = await connection.status()
    finally:
        await connection.aclose()
    terminal.say(f"The engine runs (pid {status['pid']}) with {status['model']['id']}.")
    if loopback is not None:
        terminal.say(_where(status.get("loopback")))
    return 0


def _where(port: int | None) -> str:
    """How a program of another maker reaches it."""
    from assistant import locations

    if port is None:
        return (
            "It ran already, without a port of 127.0.0.1. "
            "To start it with one: assistant stop; assistant serve --loopback"
        )
    info = locations.daemon_info_path()
    return f"Its address for other programs: http://127.0.0.1:{port}/v1; the key is in {info}."


def _foreground(resolved: Resolved, loopback: int | None) -> int:
    from assistant.client import Daemon
    from assistant.connecting import target_of
    from assistant.daemon import lifecycle
    from assistant.engine.types import EngineSettings
    from assistant.models import store

    settings = resolved.settings
    chosen = store.choose(settings.model)
    target = target_of(resolved)
    inline = target.inline() if isinstance(target, Daemon) else None
    options = lifecycle.Options(
        model_path=chosen.path,
        model_name=store.name_of(chosen.path, chosen.adapter),
        adapter_path=chosen.adapter,
        inline_path=inline.path if inline is not None else None,
        inline_adapter_path=inline.adapter if inline is not None else None,
        inline_name=settings.inline_model if inline is not None else "",
        memory_gb=settings.daemon.memory_gb,
        idle_seconds=settings.daemon.idle_minutes * 60,
        engine=EngineSettings(
            context_length=settings.daemon.context_length or None,
            threads=settings.daemon.threads or None,
        ),
        started_by="assistant serve --foreground",
        foreground=True,
        loopback=loopback,
    )
    terminal.say("The engine starts here and logs below; Ctrl-C ends it.")
    return lifecycle.serve(options)
