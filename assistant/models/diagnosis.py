"""What `assistant doctor` finds out about models: are they there, and what can they do?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from assistant import config, locations
from assistant.doctor import Finding, State, ok
from assistant.models import (
    adapters,
    catalogue,
    environment,
    gguf,
    machine,
    memory,
    records,
    store,
)
from assistant.models.download import size_text
from assistant.models.names import Chosen, Reference, parts_of

CHOOSE = "Choose another: assistant models use NAME (assistant models list)"
LITTLE_SPACE, NO_SPACE = 500_000_000, 20_000_000


def model_finding() -> Finding:
    """Is the model that answers there, sound, and able to be asked?"""
    info = store.info(config.load().settings.model)
    size = f"{info.parameters / 1e6:.1f} M parameters, {size_text(info.size)}, {info.place.value}"
    if not info.chat:
        message = f"{info.name} has no chat template, so it can not answer requests"
        return Finding(State.PROBLEM, message, CHOOSE)
    if info.warning:
        return Finding(State.WARNING, f"{info.name}: {info.warning}", CHOOSE)
    if warning := catalogue.licence_warning(info.name):
        return Finding(State.WARNING, warning, "Read its licence, or choose another model.")
    if info.format_name is None:
        message = f"{info.name} ({size}) was not trained on this format; it is prompted towards it"
        return ok(message)
    return ok(f"{info.name} ({size}), trained on {info.format_name} {info.format_version}")


def memory_finding() -> Finding:
    """Is there memory enough for the models of both roles together?"""
    settings = config.load().settings
    tokens = settings.daemon.context_length
    free = memory.budget_bytes(settings.daemon.memory_gb)
    if free is not None and not settings.daemon.memory_gb:
        # What a running engine holds is free for the one that loads these models.
        free += machine.held_by(_engine_pid())
    needed = _needed(store.choose(settings.model), tokens, free)
    who, whose = "the model needs", "its"
    if settings.inline_model and _apart(settings):
        rest = None if free is None else max(0, free - needed)
        needed += _needed(store.choose(settings.inline_model), tokens, rest)
        who, whose = "the two models need", "their"
    if free is None:
        return ok(f"{who} {size_text(needed)}; this system does not tell how much is free")
    source = "daemon.memory_gb allows" if settings.daemon.memory_gb else "may be used"
    return ok(f"{who} {size_text(needed)} with {whose} context; {size_text(free)} {source}")


def _needed(chosen: Chosen, tokens: int, free: int | None) -> int:
    header = gguf.read_header(chosen.path)
    more = adapters.bytes_of(chosen.adapter)
    return memory.check_fits(header, memory.context_tokens(header, tokens), free, more).total


def _engine_pid() -> int:
    """The process of the running engine; 0 when there is none, or none that says so."""
    try:
        pid = json.loads(locations.daemon_info_path().read_text("utf-8"))["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return pid if isinstance(pid, int) else 0


def _apart(settings: config.Settings) -> bool:
    return store.choose(settings.inline_model) != store.choose(settings.model)


def inline_finding() -> Finding:
    """Which model completes while one types, and if none, why?"""
    settings = config.load().settings
    name, reason = store.inline_name(settings.model, settings.inline_model)
    if not reason:
        return ok(f"{name or store.EMBEDDED} completes")
    smallest = next(one for one in catalogue.RECOMMENDED if catalogue.INLINE in one.roles)
    advice = (
        f"Choose one that can: assistant models pull {smallest.alias}; "
        f"assistant models use {smallest.alias} --role inline"
    )
    return Finding(State.WARNING, f"completions are off: {reason}", advice)


def disk_finding() -> Finding:
    """Is there room for state, and for downloads?"""
    wanted = (("state", locations.state_dir()), ("models", locations.hub_cache_dir()))
    told, worst = [], State.OK
    for what, folder in wanted:
        free = shutil.disk_usage(_existing(folder)).free
        told.append(f"{size_text(free)} free for {what} in {folder}")
        if what == "state" and free < LITTLE_SPACE:
            worst = State.PROBLEM if free < NO_SPACE else State.WARNING
    return Finding(worst, "; ".join(told), "Make room on that disk." if worst != State.OK else "")


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def downloads_finding() -> Finding:
    """Are there downloads that stopped half-way?"""
    unfinished = records.unfinished()
    if not unfinished:
        count = len({(one.repository, parts_of(one.file)[0]) for one in records.everything()})
        return ok(f"none is half-way; {count} made from here")
    told, names = [], dict[str, bool]()
    for one in unfinished:
        told.append(f"{one.file}: {size_text(one.received)} of {size_text(one.size)} are here")
        names[str(Reference(one.repository, file=parts_of(one.file)[0]))] = True
    advice = [f"Go on: assistant models pull {name}" for name in names]
    advice += [f"Or give up: assistant models remove {name}" for name in names]
    return Finding(State.WARNING, "; ".join(told), "\n".join(advice))


def hub_finding() -> Finding:
    """Can models be downloaded, gated ones, too? Nothing is asked over the network."""
    address, token = environment.endpoint(), environment.token()
    if environment.offline():
        return ok(f"HF_HUB_OFFLINE is set: nothing is downloaded from {address}")
    if not token:
        return ok(
            f"{address}, without a token: models whose licence has to be accepted first can not "
            "be downloaded"
        )
    if not token.isascii() or any(char.isspace() for char in token):
        message = "the token of the hub has spaces or characters that no token has"
        return Finding(State.PROBLEM, message, "Set it again: export HF_TOKEN=hf_...")
    if not token.startswith("hf_"):
        message = "the token of the hub does not begin with hf_"
        return Finding(State.WARNING, message, "Check it: export HF_TOKEN=hf_...")
    return ok(f"{address}, with a token")
