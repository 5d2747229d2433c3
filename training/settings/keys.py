"""Settings by their keys, such as `adapter.rank`: what a recipe's file and `--set` are read with.

A value is checked where it is given: its key, its type, and where only some words mean anything,
the word. So a run does not stop in its sixth stage for a letter in its settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from assistant.errors import UsageProblem
from training.settings import Settings
from training.settings.choices import CHOICES

Value = str | int | float | bool

_ABOVE_NOTHING = {
    "adapter.checkpoint_every", "base.checkpoint_every", "encoder.checkpoint_every",
    "curriculum.measure_every", "structural.temperature",
}  # fmt: skip
_NEGATIVE = ("seed",)
"""Settings that may be below zero."""
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def flat(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting with its key, in the order of the classes."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            for inner in dataclasses.fields(value):
                yield f"{field.name}.{inner.name}", getattr(value, inner.name)
        else:
            yield field.name, value


DEFAULTS: dict[str, Value] = dict(flat(Settings()))
"""The value of each setting that no recipe and no `--set` gives."""
SECTIONS = tuple(dict.fromkeys(key.split(".")[0] for key in DEFAULTS if "." in key))


def built(values: Mapping[str, Value]) -> Settings:
    """Settings from all their values by key; what is missing has its default."""
    whole = {**DEFAULTS, **values}
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        own = {k.split(".")[1]: v for k, v in whole.items() if k.startswith(f"{field.name}.")}
        if own:
            section = type(getattr(Settings(), field.name))
            parts[field.name] = section(**own)
        else:
            parts[field.name] = whole[field.name]
    return Settings(**parts)


def from_text(key: str, text: str) -> Value:
    """The value that `--set key=text` means.

    Raises:
        UsageProblem: there is no such key, or it can not have that value.
    """
    where = f"--set {key}={text}"
    _known(key, f"{where}: ")
    kind = type(DEFAULTS[key])
    value: Any = text
    try:
        if kind is bool:
            value = {"true": True, "false": False}[text.lower()]
        elif kind is int:
            value = int(text.replace("_", ""))
        elif kind is float:
            value = float(text)
    except (KeyError, ValueError):
        raise _unfit(where, kind) from None
    return checked(key, value, where)


def from_toml(key: str, value: Any, file: str) -> Value:
    """The value that a recipe's file gives to a key; an `int` will do for a float.

    Raises:
        UsageProblem: there is no such key, or it can not have that value.
    """
    _known(key, f"{file}: ")
    kind = type(DEFAULTS[key])
    where = f"{file}: {key} = {_shown(value)}"
    if kind is float and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            raise _unfit(where, kind) from None
    if type(value) is not kind:
        raise _unfit(where, kind)
    return checked(key, value, where)


def checked(key: str, value: Value, where: str) -> Value:
    """`value`, when it means something for `key`.

    Args:
        key: of the setting.
        value: of its type.
        where: what was written, for the message.

    Raises:
        UsageProblem: it means nothing.
    """
    if key in CHOICES and value not in CHOICES[key]:
        near = difflib.get_close_matches(str(value), CHOICES[key], n=1)
        raise UsageProblem(
            f"{where}: there is no such {key}; there are: {', '.join(CHOICES[key])}",
            hint=f"did you mean {near[0]}?" if near else "",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageProblem(f"{where}: a finite number is needed")
    if key in _ABOVE_NOTHING and value == 0:
        raise UsageProblem(f"{where}: more than nothing is needed")
    if isinstance(value, int | float) and value < 0 and key not in _NEGATIVE:
        raise UsageProblem(f"{where}: less than nothing means nothing here")
    return value


def nearest(key: str) -> tuple[str, ...]:
    """The keys that may have been meant: of the same name in other sections, or spelt alike."""
    name = key.split(".")[-1]
    same = tuple(known for known in DEFAULTS if known.split(".")[-1] == name)
    return same or tuple(difflib.get_close_matches(key, [*DEFAULTS, *SECTIONS], n=1, cutoff=0.75))


def _known(key: str, where: str) -> None:
    if key in DEFAULTS:
        return
    if key in SECTIONS:
        inner = next(known for known in DEFAULTS if known.startswith(f"{key}."))
        raise UsageProblem(
            f"{where}{key} is a section and has no value itself",
            hint=f"a setting of it has a name of two parts, such as {inner}",
        )
    near = " or ".join(nearest(key))
    raise UsageProblem(
        f"{where}no such setting: {key}",
        hint=f"did you mean {near}?" if near else "all of them: assistant train nano --dry-run",
    )


def _unfit(where: str, kind: type) -> UsageProblem:
    return UsageProblem(f"{where}: {_KINDS[kind]} is needed")


def _shown(value: Any) -> str:
    """As TOML has it, about, and short."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
