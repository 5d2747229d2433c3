"""Settings: typed, with one place for the defaults, and each value knows where it came from.

Precedence, the later wins: default, `config.toml` (`assistant.locations.config_file`), an
environment variable, a flag. The key `ask.max_tokens` is `max_tokens` in the table `[ask]` of the
file and `ASSISTANT_ASK_MAX_TOKENS` in the environment.

All that is wrong with the file and the environment is collected into one error that names the
source and the key of each.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
import typing
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from assistant import locations
from assistant.errors import ConfigProblem

ENVIRONMENT_PREFIX = "ASSISTANT_"
MAX_THREADS = 512
"""llama.cpp ends the whole process when it is asked for more."""
_MOST = 1e9
"""Of anything that is counted: infinity, which TOML can say, is no number of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """An OpenAI-compatible server to use in place of the local engine."""

    url: str = ""
    """Base address, such as http://localhost:8080/v1 (llama-server, vLLM, Ollama, LM Studio).
    Empty: the local engine answers, and nothing leaves this machine."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key; the key itself is never stored here.
    Empty: no key is sent."""
    model: str = ""
    """The model to ask the server for. Empty: the first one that it lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """The local engine, one process for all editors and terminals of a user."""

    idle_minutes: float = 15.0
    """Minutes without a request after which the engine ends and gives its memory back.
    The next request starts it again. 0: it stays until `assistant stop`."""
    context_length: int = 0
    """Tokens of prompt and answer together. 0: what the model was made for, at most 8192."""
    threads: int = 0
    """Processor threads. 0: one for a very small model, otherwise the cores that it may use."""
    memory_gb: float = 0.0
    """Memory for models and caches together, in GB (1 GB = 1,000,000,000 bytes). 0: what is free
    when a model is loaded, less a reserve for other programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSettings:
    """How requests are answered."""

    max_tokens: int = 1024
    """The longest answer, reasoning and code together, in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; the names here are the keys of `config.toml`."""

    model: str = ""
    """The model that answers: an alias, `org/repo[:quant]`, `org/repo/file.gguf`, or the path of a
    .gguf file. Empty: the embedded one. `assistant models use NAME` writes it."""
    inline_model: str = ""
    """The model that completes while you type, named likewise. Empty: the model that answers, if
    it has fill-in-the-middle tokens. `assistant models use NAME --role inline` writes it."""
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    ask: AskSettings = field(default_factory=AskSettings)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings together with the origin of every value."""

    settings: Settings
    origins: dict[str, str]
    """From a dotted key to `default`, the file's path, `$NAME` or `flag`."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One setting, as the classes above declare it."""

    dotted: str
    kind: type
    default: Any

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.dotted.replace(".", "_").upper()


_standing: ContextVar[Mapping[str, Any] | None] = ContextVar("standing flags", default=None)


@contextlib.contextmanager
def standing(flags: Mapping[str, Any]) -> Iterator[None]:
    """In the present context every `load` takes these for flags, those of its own over them.

    For checks that read the settings themselves, and have to see those of an editor.
    """
    token = _standing.set(dict(flags))
    try:
        yield
    finally:
        _standing.reset(token)


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Resolved:
    """Resolve every setting.

    Args:
        flags: dotted keys and values from the command line; None values do not count.
        environment: `os.environ` unless given.
        file: the user's `config.toml` unless given; it need not exist.

    Raises:
        ConfigProblem: the file is not TOML, or keys in file or environment are unknown or
            ill-typed; the message lists all of them.
    """
    environment = os.environ if environment is None else environment
    file = locations.config_file() if file is None else file
    problems: list[str] = []
    keys = _keys(Settings)
    values: dict[str, Any] = {key.dotted: key.default for key in keys}
    origins = dict.fromkeys(values, "default")
    from_file = _flatten(read_file(file), keys, str(file), problems)
    for source in (_checked(from_file, str(file), problems), _environment(environment, problems)):
        for dotted, (value, origin) in source.items():
            values[dotted], origins[dotted] = value, origin
    for dotted, value in {**(_standing.get() or {}), **(flags or {})}.items():
        if value is not None:
            values[dotted], origins[dotted] = value, "flag"
    _check_ranges(values, origins, problems)
    if problems:
        raise ConfigProblem(
            "The settings can not be used:\n" + "\n".join(f"  {one}" for one in problems),
            hint="Correct them, or see `assistant doctor`.",
        )
    return Resolved(_build(Settings, values), origins)


def read_file(file: Path) -> dict[str, Any]:
    """The file's tables, empty when there is no file.

    Raises:
        ConfigProblem: it can not be read or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigProblem(
            f"The settings {file} can not be read: {error.strerror or error}.",
            hint="Make it readable, or set ASSISTANT_HOME to another folder.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigProblem(
            f"The settings {file} are not TOML: {error}.", hint="Correct or remove that line."
        ) from error


def _keys(cls: type[Any], prefix: str = "") -> list[_Key]:
    found: list[_Key] = []
    kinds = typing.get_type_hints(cls)
    defaults = cls()
    for one in fields(cls):
        kind, dotted = kinds[one.name], prefix + one.name
        if isinstance(kind, type) and is_dataclass(kind):
            found += _keys(kind, f"{dotted}.")
        else:
            found.append(_Key(dotted, kind, getattr(defaults, one.name)))
    return found


def known_keys() -> list[str]:
    """The dotted names of all settings, in the order of the classes."""
    return [key.dotted for key in _keys(Settings)]


def _flatten(
    tables: Mapping[str, Any], keys: list[_Key], where: str, problems: list[str]
) -> dict[str, Any]:
    """The file's values by dotted key; unknown keys and tables become problems."""
    names = {key.dotted for key in keys}
    areas = {name.partition(".")[0] for name in names if "." in name}
    found: dict[str, Any] = {}
    for name, value in tables.items():
        inner = (
            {f"{name}.{key}": one for key, one in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
        if name in areas and not isinstance(value, dict):
            problems.append(f"{where}: {name} is a table; write [{name}]")
            continue
        for dotted, one in inner.items():
            if dotted in names:
                found[dotted] = one
            else:
                problems.append(f"{where}: {dotted} is not a setting{_closest(dotted, names)}")
    return found


def _closest(dotted: str, names: set[str]) -> str:
    import difflib

    near = difflib.get_close_matches(dotted, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _checked(
    found: Mapping[str, Any], where: str, problems: list[str]
) -> dict[str, tuple[Any, str]]:
    kinds = {key.dotted: key.kind for key in _keys(Settings)}
    good: dict[str, tuple[Any, str]] = {}
    for dotted, value in found.items():
        kind = kinds[dotted]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is kind:
            good[dotted] = (value, where)
        else:
            problems.append(f"{where}: {dotted} must be {_NAMES[kind]}, not {value!r}")
    return good


_NAMES: dict[type, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _environment(environment: Mapping[str, str], problems: list[str]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for key in _keys(Settings):
        text = environment.get(key.variable)
        if text is None:
            continue
        try:
            found[key.dotted] = (_from_text(text, key.kind), f"${key.variable}")
        except ValueError:
            problems.append(f"${key.variable} must be {_NAMES[key.kind]}, not {text!r}")
    return found


def _from_text(text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise ValueError(text)
    return kind(text)


def _check_ranges(
    values: Mapping[str, Any], origins: Mapping[str, str], problems: list[str]
) -> None:
    """Values of the right type that can not mean anything."""

    def refuse(dotted: str, must: str) -> None:
        problems.append(f"{origins[dotted]}: {dotted} must be {must}, not {values[dotted]!r}")

    if values["ask.max_tokens"] < 1:
        refuse("ask.max_tokens", "1 or more")
    bounded = ("idle_minutes", "context_length", "threads", "memory_gb")
    for dotted in (f"daemon.{name}" for name in bounded):
        if not values[dotted] >= 0:  # so that nan is refused, too
            refuse(dotted, "0 or more")
        elif values[dotted] > _MOST:
            refuse(dotted, f"at most {_MOST:,.0f}")
    if values["daemon.threads"] > MAX_THREADS:
        refuse("daemon.threads", f"at most {MAX_THREADS}")
    url = values["endpoint.url"]
    if url and not url.startswith(("http://", "https://")):
        refuse("endpoint.url", "an address that begins with http:// or https://")


def _build(cls: type[Any], values: Mapping[str, Any], prefix: str = "") -> Any:
    kinds = typing.get_type_hints(cls)
    arguments = {}
    for one in fields(cls):
        kind, dotted = kinds[one.name], prefix + one.name
        nested = is_dataclass(kind)
        arguments[one.name] = _build(kind, values, f"{dotted}.") if nested else values[dotted]
    return cls(**arguments)
