"""A recipe's file: TOML whose keys are the settings' own, and nothing is passed over in silence."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import UsageProblem
from training.settings import Recipe
from training.settings.keys import SECTIONS, Value, built, from_toml

SUFFIX = ".toml"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class _File:
    summary: str
    extends: str
    values: dict[str, Value]


def packaged() -> dict[str, Path]:
    """The files that come with the package, by the recipe's name."""
    found = {path.name.removesuffix(SUFFIX): path for path in _FOLDER.glob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


def read(path: Path, name: str) -> Recipe:
    """The recipe in a file.

    Args:
        path: the file.
        name: what it is called from now on.

    Raises:
        UsageProblem: it can not be read, or a key or a value in it means nothing; the message
            names the file and the key.
    """
    own = _parsed(path)
    values, origins = dict(own.values), dict.fromkeys(own.values, f"recipe {name}")
    if own.extends:
        before = _extended(own.extends, path)
        values = before | values
        origins = dict.fromkeys(before, f"recipe {own.extends}") | origins
    return Recipe(name, own.summary, built(values), origins, own.extends)


def _extended(name: str, path: Path) -> dict[str, Value]:
    """The values of the recipe that `path` goes out from.

    Raises:
        UsageProblem: there is none, or it goes out from another one itself.
    """
    known = packaged()
    if name not in known:
        raise UsageProblem(
            f"{path}: extends = {name!r}: there is no such recipe; there are: {', '.join(known)}"
        )
    before = _parsed(known[name])
    if before.extends:
        raise UsageProblem(
            f"{path}: extends = {name!r}, which itself extends {before.extends}; one step is all",
            hint=f'write extends = "{before.extends}" and what {name} changes',
        )
    return before.values


def _parsed(path: Path) -> _File:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageProblem(
            f"the recipe {path} can not be read: {error.strerror}", hint="assistant train --list"
        ) from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, nested without an end
        raise UsageProblem(f"{path} is no TOML: {error}") from error
    summary = _word(document, "summary", path)
    if not summary:
        raise UsageProblem(
            f"{path}: summary is missing", hint='its first line: summary = "what it is for"'
        )
    extends = _word(document, "extends", path)
    return _File(summary, extends, _values(document, path))


def _word(document: dict[str, Any], key: str, path: Path) -> str:
    """Take `key` out of the document: a text, empty where there is none."""
    value = document.pop(key, "")
    if not isinstance(value, str):
        raise UsageProblem(f"{path}: {key} = {value!r}: a text is needed")
    return value


def _values(document: dict[str, Any], path: Path) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, content in document.items():
        if not isinstance(content, dict) or name not in SECTIONS:
            # A table where none belongs is an unknown key, or a value of the wrong type.
            inner = next(iter(content), "") if isinstance(content, dict) else ""
            key = f"{name}.{inner}" if inner else name
            found[key] = from_toml(key, content[inner] if inner else content, str(path))
            continue
        for inner, value in content.items():
            found[f"{name}.{inner}"] = from_toml(f"{name}.{inner}", value, str(path))
    return found
