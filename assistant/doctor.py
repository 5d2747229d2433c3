"""The registry of `assistant doctor`: what can keep an answer from appearing, and what to do.

A check is a name and a function that returns a `Finding`. Rooms add theirs with `register`; a
check that raises is a problem itself, so one broken part never hides the others.
"""

from __future__ import annotations

import asyncio
import enum
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant import __version__, config, locations
from assistant.connecting import ENGINE_PACKAGE
from assistant.errors import AssistantError

OLDEST_PYTHON = (3, 11)


class State(enum.Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it."""

    state: State
    message: str
    advice: str = ""
    """The next command; empty when there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong."""

    name: str
    run: Callable[[], Finding]


_checks: list[Check] = []


def register(name: str) -> Callable[[Callable[[], Finding]], Callable[[], Finding]]:
    """Add the decorated function to the registry under `name`."""

    def add(run: Callable[[], Finding]) -> Callable[[], Finding]:
        _checks.append(Check(name, run))
        return run

    return add


def checks() -> tuple[Check, ...]:
    """All checks, in the order of their registration."""
    return tuple(_checks)


def diagnose(selection: tuple[Check, ...] | None = None) -> Iterator[tuple[Check, Finding]]:
    """Run the checks, one after the other."""
    for check in checks() if selection is None else selection:
        try:
            finding = check.run()
        except AssistantError as error:
            finding = Finding(State.PROBLEM, error.message, error.hint)
        except Exception as error:
            advice = "This is a bug in the check: run `assistant doctor --debug`."
            finding = Finding(State.PROBLEM, f"unexpected {type(error).__name__}: {error}", advice)
        yield check, finding


def lines(check: Check, finding: Finding) -> list[str]:
    """A finding as lines for a person."""
    first = f"{finding.state.value:8} {check.name}: {finding.message}"
    return [first, *(f"         -> {line}" for line in finding.advice.splitlines())]


def ok(message: str) -> Finding:
    """Nothing to do."""
    return Finding(State.OK, message)


@register("python")
def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        advice = f"Install again with Python {oldest} or newer."
        return Finding(State.PROBLEM, f"Python {version} is too old", advice)
    return ok(f"Python {version} ({sys.executable})")


@register("settings")
def _settings() -> Finding:
    resolved = config.load()
    unknown = _unknown_variables()
    if unknown:
        names = ", ".join(f"${name}" for name in unknown)
        return Finding(State.WARNING, f"{names} is no setting of ours", "Unset it, or correct it.")
    changed = [f"{key} from {origin}" for key, origin in resolved.origins.items()]
    changed = [line for line in changed if not line.endswith(" default")]
    return ok("; ".join(changed) if changed else "all at their defaults")


# Variables with our prefix that are no settings.
_OTHER_VARIABLES = frozenset({"ASSISTANT_HOME", "ASSISTANT_DATA", "ASSISTANT_SOAK"})


def _unknown_variables() -> list[str]:
    prefix = config.ENVIRONMENT_PREFIX
    known = {prefix + key.replace(".", "_").upper() for key in config.known_keys()}
    return sorted(
        name
        for name in os.environ
        if name.startswith(prefix) and name not in known | _OTHER_VARIABLES
    )


@register("folders")
def _folders() -> Finding:
    folders = [
        locations.config_dir(),
        locations.state_dir(),
        locations.cache_dir(),
        locations.models_dir(),
        locations.runtime_dir(),
    ]
    for folder in folders:
        _require_writable(folder)
    private = locations.ensure_private_dir(locations.runtime_dir())
    return ok(f"{len(folders)} folders are writable; the engine's socket lives in {private}")


def _require_writable(folder: Path) -> None:
    """Raise a StateProblem unless a file can be made in `folder`; it is made when missing."""
    from assistant.errors import StateProblem

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        raise StateProblem(
            f"{folder} can not be written: {error.strerror or error}.",
            hint="Make it writable, or set ASSISTANT_HOME to a folder that is.",
        ) from error


@register("sandbox")
def _sandbox() -> Finding:
    from assistant.sandbox.diagnosis import sandbox_finding

    return sandbox_finding()


@register("engine library")
def _library() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    if _endpoint():
        return ok(f"not needed: answers come from {_endpoint()}")
    pinned = _pinned(ENGINE_PACKAGE)
    try:
        installed = version(ENGINE_PACKAGE)
    except PackageNotFoundError:
        advice = "Install it: pip install 'assistant[local]', or set endpoint.url in config.toml."
        return Finding(State.PROBLEM, f"{ENGINE_PACKAGE} is not installed", advice)
    if pinned and installed != pinned:
        message = f"{ENGINE_PACKAGE} is {installed}; this version needs exactly {pinned}"
        advice = f"pip install {ENGINE_PACKAGE}=={pinned}"
        return Finding(State.PROBLEM, message, advice)
    return ok(f"{ENGINE_PACKAGE} {installed}")


def _pinned(package: str) -> str | None:
    """The exact version that our own package asks for, or None when it does not say."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        wanted = requires("assistant") or []
    except PackageNotFoundError:
        return None
    for requirement in wanted:
        name, equals, rest = requirement.partition("==")
        if equals and name.strip() == package:
            return rest.partition(";")[0].strip()
    return None


def _endpoint() -> str:
    try:
        return config.load().settings.endpoint.url
    except AssistantError:
        # The settings have a check of their own.
        return ""


def _of_models(name: str, finding: str, *, local: bool = True) -> None:
    """Register a check of `assistant.models.diagnosis`; a `local` one needs our own engine."""

    def run() -> Finding:
        from assistant.models import diagnosis

        if local and _endpoint():
            return ok("not needed: the endpoint chooses its models")
        found: Finding = getattr(diagnosis, finding)()
        return found

    register(name)(run)


_of_models("model", "model_finding")
_of_models("memory", "memory_finding")


@register("inline model")
def _inline() -> Finding:
    from assistant.models import diagnosis

    return asyncio.run(_inline_of_endpoint()) if _endpoint() else diagnosis.inline_finding()


async def _inline_of_endpoint() -> Finding:
    """Most servers can not fill in: then nothing appears while one types."""
    from assistant.connecting import open_connection

    try:
        async with await open_connection(config.load()) as connection:
            inline = await connection.inline()
    except AssistantError:
        return ok("not known: the endpoint does not answer; see below")
    if not inline.reason:
        return ok(f"{inline.model or 'the endpoint'} completes")
    advice = "Serve a model that can with llama-server, or leave endpoint.url empty."
    return Finding(State.WARNING, f"completions are off: {inline.reason}", advice)


_of_models("disk", "disk_finding", local=False)
_of_models("downloads", "downloads_finding", local=False)
_of_models("hub", "hub_finding", local=False)


@register("connection")
def _connection() -> Finding:
    return asyncio.run(_connect())


async def _connect() -> Finding:
    from assistant.connecting import open_connection

    connection = await open_connection(config.load())
    try:
        info = await connection.model_info()
        version = __version__ if _endpoint() else (await connection.status())["version"]
    finally:
        await connection.aclose()
    if version != __version__:
        message = f"the engine that runs is version {version}, and this is {__version__}"
        return Finding(
            State.WARNING, message, "End it; the next request starts this one: assistant stop"
        )
    where = _endpoint() or f"the engine at {locations.socket_path()}"
    return ok(f"{where} answers with {info.id}, context {info.context_length or 'unknown'}")
