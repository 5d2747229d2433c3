"""What a person may choose among: the models on this machine, and those worth a download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.config import Settings
from assistant.errors import ModelProblem
from assistant.models import adapters, catalogue, gguf, memory, store
from assistant.models.catalogue import GENERATE, INLINE, SHARE_OF_MEMORY, Recommendation
from assistant.models.facts import Entry


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that may be chosen."""

    name: str
    """What `assistant models use` and `pull` take."""
    size: int
    """Bytes of its files."""
    here: bool
    """False: it has to be downloaded first."""
    fits: bool
    """This machine has the memory for it."""
    roles: tuple[str, ...]
    """What it can do; empty for a file that can not be used."""
    current: tuple[str, ...] = ()
    """What it does by the settings."""
    note: str = ""
    licence: str = ""
    """Where it is known."""


def offers(settings: Settings) -> list[Offer]:
    """The models on this machine, then those that are recommended and are not here.

    Headers are read: with many models it takes its time.
    """
    total, entries = memory.total_bytes(), store.entries()
    answering, completing = current_names(settings)
    names = {entry.name for entry in entries}
    found = [_of_entry(entry, answering, completing, total) for entry in entries]
    return found + [
        Offer(
            name=one.alias,
            size=int(one.size * 1e9),
            here=False,
            fits=one.fits(total),
            roles=one.roles,
            note=one.note,
            licence=one.licence,
        )
        for one in catalogue.RECOMMENDED
        if not is_here(one, names)
    ]


def _of_entry(entry: Entry, answering: str, completing: str, total: int | None) -> Offer:
    try:
        info = store.info(entry.name)
    except ModelProblem as problem:
        # Its header is damaged, or of a kind that is not known: it is listed all the same.
        return Offer(entry.name, entry.size, here=True, fits=False, roles=(), note=problem.message)
    roles = [*([GENERATE] if info.chat else []), *([INLINE] if info.fill else [])]
    completes = completing == entry.name or (not completing and answering == entry.name)
    current = [
        role
        for role, does in ((GENERATE, answering == entry.name), (INLINE, completes))
        if does and role in roles
    ]
    fits = total is None or info.memory_bytes <= SHARE_OF_MEMORY * total
    note = info.warning or catalogue.licence_warning(entry.name) or info.place.value
    return Offer(entry.name, entry.size, True, fits, tuple(roles), tuple(current), note)


def is_here(recommended: Recommendation, names: set[str]) -> bool:
    """Whether a recommended model is among those on this machine."""
    reference = recommended.reference
    if reference.quant:
        return any(name.lower() == recommended.name.lower() for name in names)
    return any(name.split(":")[0] == reference.repository for name in names)


def current_names(settings: Settings) -> tuple[str, str]:
    """The shortest names of the models that answer and that complete, by the settings.

    The second is '' where no model is chosen for completions alone.
    """
    completing = _shortest(settings.inline_model) if settings.inline_model else ""
    return _shortest(settings.model) or store.EMBEDDED, completing


def _shortest(name: str) -> str:
    try:
        chosen = store.choose(name)
        return store.name_of(chosen.path, chosen.adapter)
    except ModelProblem:
        return name


def memory_warning(settings: Settings, path: Path, adapter: Path | None = None) -> str:
    """Why a model may not fit into memory, or ''."""
    header = gguf.read_header(path)
    try:
        tokens = memory.context_tokens(header, settings.daemon.context_length)
        free = memory.budget_bytes(settings.daemon.memory_gb)
        memory.check_fits(header, tokens, free, adapters.bytes_of(adapter))
    except ModelProblem as problem:
        return str(problem)
    return ""
