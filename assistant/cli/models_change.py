"""`assistant models pull|use|remove`: what changes which models there are and which one answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.cli import terminal
from assistant.errors import ModelProblem, UsageProblem

if TYPE_CHECKING:
    from assistant.models.names import Reference
    from assistant.models.store import Entry


def pull(args: argparse.Namespace) -> int:
    """Download a model; its path is printed on stdout."""
    from assistant.models import store

    reference = store.reference_of(args.name)
    if reference is None:
        path = store.resolve(args.name)
        terminal.say(f"{args.name} is a file on this machine; there is nothing to download.")
    else:
        path = _fetch(reference, args.revision)
    info = store.info(str(path))
    print(path)
    role = "" if info.chat or not info.fill else " --role inline"
    terminal.say(f"Use it: assistant models use {info.name}{role}")
    return 0


def _fetch(reference: Reference, revision: str = "main") -> Path:
    from assistant.cli.transfer import Transfer
    from assistant.models import pulling
    from assistant.models.download import size_text

    watcher = Transfer()
    try:
        pulled = pulling.pull(reference, revision, watcher=watcher)
    except KeyboardInterrupt:
        watcher.end()
        terminal.say("What came so far is kept; the same command goes on with it.")
        raise
    if pulled.downloaded:
        terminal.say(f"{reference} is here: {size_text(pulled.size)}, checksum verified.")
    else:
        terminal.say(f"{reference}: {pulled.note}; nothing was downloaded.")
    return pulled.path


def use(args: argparse.Namespace) -> int:
    """Choose the model for a role; without a name a person is asked."""
    from assistant import config, locations
    from assistant.models import catalogue, offer, store

    name, role = args.name, args.role
    if name is None:
        name, role = _ask_which(role)
    recommended = catalogue.by_alias(name)
    role = role or (recommended.roles[0] if recommended else catalogue.GENERATE)
    if name:
        _offer_download(name)
    chosen = store.use(name, role)
    does = "completes" if role == catalogue.INLINE else "answers"
    terminal.say(f"{chosen.name} {does} from now on ({locations.config_file()}).")
    if chosen.warning:
        terminal.say(chosen.warning)
    if tight := offer.memory_warning(config.load().settings, chosen.path, chosen.adapter):
        terminal.say(f"Mind the memory: {tight}")
    terminal.say("An engine that runs already keeps its model until `assistant stop`.")
    return 0


def _interactive() -> bool:
    return terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stderr)


def _offer_download(name: str) -> None:
    """A model that is not here is downloaded if the person at the terminal says so."""
    from assistant.models import catalogue, store
    from assistant.models.names import PLUS

    try:
        store.choose(name)
    except ModelProblem:
        if PLUS in name or store.reference_of(name) is None or not _interactive():
            raise
        known = catalogue.by_alias(name)
        size = f" ({known.size:g} GB, {known.licence})" if known else ""
        if not _confirmed(f"{name} is not on this machine. Download it{size}?"):
            raise
        reference = store.reference_of(name)
        assert reference is not None
        _fetch(reference)


def _ask_which(role: str | None) -> tuple[str, str | None]:
    """A name and a role, chosen by a person from what is here and what fits.

    Raises:
        UsageProblem: nobody sits there.
    """
    from assistant import config
    from assistant.cli.models import recommendation_line
    from assistant.models import catalogue, memory, store
    from assistant.models.offer import current_names, is_here

    if not _interactive():
        raise UsageProblem(
            "Which model? Without a terminal the name has to be given.",
            hint="assistant models use NAME; see assistant models list",
        )
    total, entries = memory.total_bytes(), store.entries()
    here = {entry.name for entry in entries}
    offered = [
        one
        for one in catalogue.RECOMMENDED
        if one.fits(total) and not is_here(one, here) and (role is None or role in one.roles)
    ]
    current = current_names(config.load().settings)
    lines = [_entry_line(entry, current) for entry in entries]
    lines += [f"{recommendation_line(one)} (to download)" for one in offered]
    for number, line in enumerate(lines, 1):
        terminal.say(terminal.visible(f"{number:3}  {line}"))
    chosen = _number(len(lines))
    if chosen <= len(entries):
        return entries[chosen - 1].name, role
    one = offered[chosen - 1 - len(entries)]
    return one.alias, role or one.roles[0]


def _entry_line(entry: Entry, current: tuple[str, str]) -> str:
    from assistant.models.download import size_text

    uses = [use for use, name in zip(("answers", "completes"), current, strict=True)
            if name == entry.name]  # fmt: skip
    mark = f", {' and '.join(uses)} now" if uses else ""
    return f"{entry.name} ({size_text(entry.size)}, {entry.place.value}{mark})"


def _number(most: int) -> int:
    """A number from 1 to `most` that a person types."""
    while True:
        text = _answer(f"Which one (1 to {most})? ")
        if text.isdecimal() and 1 <= int(text) <= most:
            return int(text)
        terminal.say(f"Type a number from 1 to {most}; Ctrl-C ends without a change.")


def _confirmed(question: str) -> bool:
    return _answer(f"{question} [y/N] ").lower() in ("y", "yes")


def _answer(question: str) -> str:
    terminal.say(question, end="")
    line = sys.stdin.readline()
    if not line:
        terminal.say()
        raise UsageProblem("No answer came.", hint="Give the name: assistant models use NAME")
    return line.strip()


def remove(args: argparse.Namespace) -> int:
    """Delete a model that was downloaded from here."""
    from assistant.models import removal, store
    from assistant.models.download import size_text

    reference = store.reference_of(args.name)
    if reference is None:
        path = store.resolve(args.name)
        raise ModelProblem(
            f"{path} was not downloaded by this program.", hint="Delete the file yourself."
        )
    planned = removal.plan(reference)
    _refuse_in_use(planned)
    for path in planned.paths:
        terminal.say(terminal.visible(str(path)))
    if not args.yes:
        if not _interactive():
            raise UsageProblem(
                "Without a terminal nobody can be asked.", hint="To delete it, add --yes."
            )
        if not _confirmed(f"Delete {reference} ({size_text(planned.size)})?"):
            terminal.say("Nothing was deleted.")
            return 1
    removal.remove(planned)
    terminal.say(f"Deleted: {size_text(planned.size)} are free again.")
    return 0


def _refuse_in_use(planned: object) -> None:
    from assistant import config
    from assistant.models import removal, store

    assert isinstance(planned, removal.Removal)
    settings = config.load().settings
    for setting, name in (("model", settings.model), ("inline_model", settings.inline_model)):
        try:
            chosen = store.choose(name)
            used = name and {chosen.path, chosen.adapter} & set(planned.paths)
        except ModelProblem:
            continue
        if used:
            role = "generate" if setting == "model" else "inline"
            raise ModelProblem(
                f"{name} is in use: the setting `{setting}` names it.",
                hint=f"Choose another first: assistant models use starter --role {role}",
            )
