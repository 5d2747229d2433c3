"""Reading the fields of a JSON object by type and by range; every refusal names its field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.errors import RequestProblem

_SHOWN = 80
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_KINDS |= {list: "a list", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object; a field that is null counts as absent, as in llama-server."""

    values: Mapping[str, Any] = field(repr=False)

    def get(self, name: str, kind: type, default: Any = None) -> Any:
        """The value of a field, or the default when there is none.

        Raises:
            RequestProblem: it is of another type.
        """
        value = self.values.get(name)
        if value is None:
            return default
        # A bool is an int for Python and a mistake for a client.
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        if wrong and not (kind is float and type(value) is int):
            raise RequestProblem(f"{name!r} has to be {_KINDS[kind]}, not {shown(value)}.")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        given = self.get(name, float, default)
        try:
            value = float(given)
        except OverflowError:  # a whole number of hundreds of digits
            value = math.inf
        if not (math.isfinite(value) and low <= value <= high):
            raise RequestProblem(f"{name!r} is {value}; it has to be from {low:g} to {high:g}.")
        return value

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`, or None."""
        value = self.get(name, int)
        if value is not None and not low <= value <= high:
            raise RequestProblem(f"{name!r} is {shown(value)}; it has to be from {low} to {high}.")
        return None if value is None else int(value)

    def text(self, name: str, default: str = "", *, longest: int | None = None) -> str:
        """A text of at most `longest` characters."""
        value: str = self.get(name, str, default)
        if longest is not None and len(value) > longest:
            raise RequestProblem(
                f"{name!r} has {len(value)} characters; at most {longest} are taken."
            )
        return value

    def choice(self, name: str, among: Sequence[str], default: str) -> str:
        """One of a few words."""
        value: str = self.get(name, str, default)
        if value not in among:
            raise RequestProblem(
                f"{name!r} is {shown(value)}; it has to be one of {', '.join(among)}."
            )
        return value

    def within(self, name: str) -> Fields:
        """The fields of an object inside this one; none when it is absent."""
        return Fields(self.get(name, dict, {}))


def read(data: bytes) -> Fields:
    """The JSON object of a request.

    Raises:
        RequestProblem: it is not JSON, or no object.
    """
    try:
        body = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RequestProblem(
            f"The body is not UTF-8 (byte {error.start} is {data[error.start]:#04x})."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RequestProblem(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise RequestProblem(f"The body has to be a JSON object, not {shown(body)}.")
    return Fields(body)


def shown(value: Any) -> str:
    """A value for a message: short, and never deeper than Python can print."""
    if isinstance(value, dict | list):
        return f"{_KINDS[type(value)]} of {len(value)}"
    if isinstance(value, str):
        value = value[:_SHOWN]
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
