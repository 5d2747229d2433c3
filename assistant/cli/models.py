"""`assistant models`: what models there are, what they are, and which one answers."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from assistant.cli import terminal

if TYPE_CHECKING:
    from assistant.models.catalogue import Recommendation
    from assistant.models.store import Entry, Info

_NAME = (
    "NAME is the path of a .gguf file, the name of a file in the models folder, `org/repo[:quant]` "
    "or `org/repo/file.gguf` as on the Hugging Face hub, an alias that `list` shows, or `starter`, "
    "the embedded model. `NAME+ADAPTER` is a model with an adapter in GGUF attached."
)
ROLES = ("generate", "inline")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = subparsers.add_parser(
        "models",
        help="list, download, look at, choose and remove models",
        description=f"The models on this machine, and those worth a download. {_NAME}",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="list them", allow_abbrev=False)
    listing.add_argument(
        "--available", action="store_true", help="only those that are recommended for download"
    )
    pull = actions.add_parser("pull", help="download one, or go on with it", allow_abbrev=False)
    pull.add_argument("name", metavar="NAME")
    pull.add_argument(
        "--revision", metavar="REV", default="main", help="a commit, branch or tag of the hub"
    )
    use = actions.add_parser("use", help="let this model answer from now on", allow_abbrev=False)
    use.add_argument("name", metavar="NAME", nargs="?", help="default, on a terminal: choose one")
    use.add_argument(
        "--role", choices=ROLES, help="what for: generate (the default) or inline completions; "
        "`--role inline ''`: the model that answers completes, too"
    )  # fmt: skip
    info = actions.add_parser("info", help="what a model file says of itself", allow_abbrev=False)
    info.add_argument("name", metavar="NAME", nargs="?", default="", help="default: the one in use")
    remove = actions.add_parser("remove", help="delete a downloaded model", allow_abbrev=False)
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    for action in (listing, info):
        action.add_argument("--json", action="store_true", help="as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Do the action that was chosen."""
    from assistant.cli import models_change

    actions = {
        "list": _available if args.action == "list" and args.available else _list,
        "info": _info,
        "use": models_change.use,
        "pull": models_change.pull,
        "remove": models_change.remove,
    }
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from assistant import config
    from assistant.models import offer, store

    entries = store.entries(with_adapters=True)
    current, completing = offer.current_names(config.load().settings)
    rows = [_row(entry, current, completing) for entry in entries]
    if args.json:
        print(json.dumps(rows))
        return 0
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        mark = "*" if row["in_use"] else "+" if row["completes"] else " "
        text = f"{mark} {row['name']:{width}}  {row['bytes'] / 1e6:10.1f} MB  {row['place']}"
        if row["kind"] == "adapter":
            text += ", an adapter"
        print(terminal.visible(f"{text}: {row['path']}"))
    if not any(row["in_use"] for row in rows):
        terminal.say(f"In use: {current}, which is none of the models listed.")
    if any(row["completes"] and not row["in_use"] for row in rows):
        print("* answers, + completes")
    if any(row["kind"] == "adapter" for row in rows):
        print("An adapter is named behind the model that it was tuned from: MODEL+ADAPTER")
    print()
    _print_recommended({entry.name for entry in entries})
    return 0


def _row(entry: Entry, current: str, completing: str) -> dict[str, Any]:
    return {
        "name": entry.name,
        "path": str(entry.path),
        "bytes": entry.size,
        "in_use": entry.name == current,
        "completes": entry.name == completing,
        "place": entry.place.value,
        "kind": "adapter" if entry.adapter else "model",
    }


def _available(args: argparse.Namespace) -> int:
    from assistant.models import catalogue, memory, offer, store

    here = {entry.name for entry in store.entries()}
    if not args.json:
        _print_recommended(here)
        return 0
    total = memory.total_bytes()
    rows = [
        {
            "alias": one.alias,
            "name": one.name,
            "roles": list(one.roles),
            "licence": one.licence,
            "download_gb": one.size,
            "memory_gb": one.memory,
            "fits": one.fits(total),
            "installed": offer.is_here(one, here),
            "note": one.note,
        }
        for one in catalogue.RECOMMENDED
    ]
    print(json.dumps(rows))
    return 0


def _print_recommended(here: set[str]) -> None:
    from assistant.models import catalogue, memory, offer

    total = memory.total_bytes()
    rest = [one for one in catalogue.RECOMMENDED if not offer.is_here(one, here)]
    fitting = [one for one in rest if one.fits(total)]
    machine = f"this machine's {total / 1e9:.1f} GB of memory" if total else "this machine"
    print(f"Recommended for {machine} (assistant models pull NAME):")
    for one in fitting:
        print(f"  {recommendation_line(one)}")
    if not fitting:
        print("  none that is not here already")
    large = [f"{one.alias} ({one.memory:g} GB)" for one in rest if one not in fitting]
    if large:
        print(f"Too large for it: {', '.join(large)}")
    traps = [f"{one.family} ({one.licence}: {one.meaning})" for one in catalogue.TRAPS]
    print(f"Mind the licence of {'; '.join(traps)}")


def recommendation_line(one: Recommendation) -> str:
    """A recommended model on one line."""
    roles = "+".join(one.roles)
    return (
        f"{one.alias:16} {roles:15} {one.size:5.2f} GB to download, {one.memory:4.1f} GB of "
        f"memory, {one.licence}: {one.note}"
    )


def _info(args: argparse.Namespace) -> int:
    from assistant import config
    from assistant.models import store

    info = store.info(args.name or config.load().settings.model)
    facts = _facts(info)
    if args.json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):22}  {_text(value)}")
    if info.warning:
        terminal.say(info.warning)
    return 0


def _facts(info: Info) -> dict[str, Any]:
    trained = {"name": info.format_name, "version": info.format_version}
    return {
        "name": info.name,
        "title": info.title,
        "kind": "adapter" if info.is_adapter else "model",
        "path": str(info.path),
        "adapter": str(info.adapter) if info.adapter is not None else None,
        "place": info.place.value,
        "bytes": info.size,
        "architecture": info.architecture,
        "parameters": info.parameters,
        "context_length": info.context_length,
        "cache_bytes_per_token": info.cache_bytes,
        "memory_bytes": info.memory_bytes,
        "vocabulary_size": info.vocabulary_size,
        "format": trained if info.format_name else None,
        "chat": info.chat,
        "fill_in_the_middle": info.fill,
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
