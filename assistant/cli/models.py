"""`assistant models`: what models there are, what they are, and which one answers."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from assistant.cli import terminal

if TYPE_CHECKING:
    from assistant.models.store import Info


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = subparsers.add_parser(
        "models",
        help="list the models on this machine, look at one, choose the one that answers",
        description="The models on this machine. NAME is the path of a .gguf file, the name of "
        "a file in the models folder, or `starter`, the embedded model.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="list them", allow_abbrev=False)
    info = actions.add_parser("info", help="what a model file says of itself", allow_abbrev=False)
    info.add_argument("name", metavar="NAME", nargs="?", default="", help="default: the one in use")
    use = actions.add_parser("use", help="let this model answer from now on", allow_abbrev=False)
    use.add_argument("name", metavar="NAME")
    for action in (listing, info):
        action.add_argument("--json", action="store_true", help="as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Do the action that was chosen."""
    return {"list": _list, "info": _info, "use": _use}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from assistant.models import store

    current = _current()
    rows: list[dict[str, Any]] = [
        {"name": entry.name, "path": str(entry.path), "bytes": entry.size, "in_use": used}
        for entry in store.entries()
        for used in [entry.name == current]
    ]
    if args.json:
        print(json.dumps(rows))
        return 0
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        mark = "*" if row["in_use"] else " "
        print(f"{mark} {row['name']:{width}}  {row['bytes'] / 1e6:10.1f} MB  {row['path']}")
    if not any(row["in_use"] for row in rows):
        terminal.say(f"In use: {current}, which is none of the models listed.")
    return 0


def _current() -> str:
    """The shortest name of the model that the settings choose."""
    from assistant import config
    from assistant.errors import ModelProblem
    from assistant.models import store

    name = config.load().settings.model
    try:
        return store.name_of(store.resolve(name))
    except ModelProblem:
        return name or store.EMBEDDED


def _info(args: argparse.Namespace) -> int:
    from assistant import config
    from assistant.models import store

    info = store.info(args.name or config.load().settings.model)
    facts = _facts(info)
    if args.json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):16}  {_text(value)}")
    return 0


def _facts(info: Info) -> dict[str, Any]:
    trained = {"name": info.format_name, "version": info.format_version}
    return {
        "name": info.name,
        "title": info.title,
        "path": str(info.path),
        "bytes": info.size,
        "architecture": info.architecture,
        "parameters": info.parameters,
        "context_length": info.context_length,
        "vocabulary_size": info.vocabulary_size,
        "format": trained if info.format_name else None,
        "chat": info.chat,
        "tensor_types": list(info.tensor_types),
    }


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case dict():
            return " ".join(map(str, value.values()))
        case list():
            return ", ".join(map(str, value))
        case _:
            return terminal.visible(str(value))


def _use(args: argparse.Namespace) -> int:
    from assistant import locations
    from assistant.models import store

    chosen = store.use(args.name)
    terminal.say(f"{chosen.name} answers from now on ({locations.config_file()}).")
    terminal.say("An engine that runs already keeps its model until `assistant stop`.")
    return 0
