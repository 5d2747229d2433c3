"""`assistant status`: whether the engine runs, and what it is doing."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from assistant.cli import terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "status",
        help="whether the engine runs, its model, memory and queue",
        description="Whether the engine runs, its model, memory and queue. "
        "Exit code 0: it runs; 1: it does not.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Print what the daemon says of itself."""
    status = asyncio.run(_status())
    if args.json:
        print(json.dumps({"running": False} if status is None else {"running": True} | status))
    elif status is None:
        terminal.say("The engine does not run. The next request starts it.")
    else:
        _print(status)
    return 1 if status is None else 0


async def _status() -> dict[str, Any] | None:
    from assistant.client.connection import running

    connection = await running()
    if connection is None:
        return None
    try:
        status = await connection.status()
        models = await connection.models() if status["phase"] == "ok" else [status["model"]]
    finally:
        await connection.aclose()
    # The contract's names, beside what the daemon tells in its own.
    return {"models": models, "memory": status["memory_bytes"]} | status


def _print(status: dict[str, Any]) -> None:
    model, queue = status["model"], status["queue"]
    roles = ", ".join(model.get("roles", [])) or "no role yet"
    state = status["phase"]
    if state == "loading":
        state += f" ({status['progress']:.0%})"
    lines = {
        "pid": status["pid"],
        "version": status["version"],
        "state": state,
        "model": f"{model['id']} ({roles}), {model['path']}{_with_adapter(model)}",
        "inline": _inline(status.get("inline")),
        "context": model.get("context_length", "not known yet"),
        "cache": _cache(status["engines"].get("generate")),
        "memory": f"{status['memory_bytes'] / 1e6:.0f} MB at most so far",
        "queue": f"{queue['running']} running, {queue['waiting']} waiting",
        "answered": status["requests_served"],
        "up": f"{status['uptime_s']:.0f} s",
        "started by": status["started_by"] or "unknown",
    }
    for name, value in lines.items():
        print(f"{name:11} {value}")


def _with_adapter(model: dict[str, Any]) -> str:
    adapter = model.get("adapter")
    return f" with the adapter {adapter}" if adapter else ""


def _inline(inline: dict[str, Any] | None) -> str:
    """Who completes inside of a line, or why nobody does."""
    if inline is None:
        return "not known yet"
    return f"by {inline['model']}" if inline["model"] else f"off: {inline['reason']}"


def _cache(engine: dict[str, Any] | None) -> str:
    """What is kept of earlier requests, and how."""
    if engine is None:
        return "empty"
    read = engine["prompt_tokens"] + engine["cached_tokens"]
    share = f", {engine['cached_tokens'] / read:.0%} of all prompts came from it" if read else ""
    kept = f"{engine['cells_used']} of {engine['cells']} tokens, {engine['parked']} kept sequences"
    whole = "" if engine["rollback"] == "exact" else f"; it can keep {engine['rollback']}"
    return f"{kept}{share}{whole}"
