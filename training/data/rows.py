"""A row as a source gives it, or the reason why it can not be used.

Public data holds every kind of broken row. None of them ends a run: a reader returns `Bad` with a
reason, which the funnel counts together with the first row that had it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from training.data.problem import Example

MOST_CHARACTERS = 500_000
"""Of one field that people wrote: a longer one is no statement and no program."""
_MOST_DIGITS = 4300
"""Python refuses to read longer numbers."""


@dataclass(frozen=True)
class Row:
    """One task of a data set: a statement, and programs that are said to solve it."""

    id: str
    statement: str
    solutions: tuple[str, ...]
    """As the data set has them, in its order."""
    source: str
    signature: str | None = None
    """The `def` line that the request ends with."""
    closing: str = ""
    """What the request says behind the statement about the form of the answer."""
    name: str = ""
    """Of the function; empty for a program that reads standard input."""
    examples: tuple[Example, ...] = ()
    tests: tuple[str, ...] = ()
    setup: str = ""
    pictures: int = 0
    """How many pictures the statement needs, by what the data set says."""
    licence: str = ""
    url: str = ""


@dataclass(frozen=True)
class Bad:
    """A row that can not be used."""

    id: str
    reason: str
    """The field and what is wrong with it, in words that other rows share."""


class BadField(Exception):
    """What a field's reader raises; never leaves `rows`."""


Raw = tuple[str, Any]
"""Where it is (file and number), and the object; a `Bad` where it could not even be read."""


def rows(
    raw: Iterable[Raw], make: Callable[[str, dict[str, Any]], Row | None]
) -> Iterator[Row | Bad]:
    """Turn objects into rows; what is broken becomes a `Bad`.

    Args:
        raw: objects with their places.
        make: reads one; None says that it does not belong to the set (another split).
    """
    for place, value in raw:
        if isinstance(value, Bad):
            yield value
            continue
        try:
            if not isinstance(value, dict):
                raise BadField("row: no object with fields")
            made: Row | Bad | None = make(place, value)
        except BadField as error:
            made = Bad(place, str(error))
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            made = Bad(place, f"row: {type(error).__name__} while it was read")
        if made is not None:
            yield made


def text(row: dict[str, Any], name: str, *, most: int = MOST_CHARACTERS) -> str:
    """A field that must hold text.

    Raises:
        BadField: it is missing, empty, no text, too long or wrongly encoded.
    """
    value = optional_text(row, name, most=most)
    if not value.strip():
        raise BadField(f"{name}: empty")
    return value


def optional_text(row: dict[str, Any], name: str, *, most: int = MOST_CHARACTERS) -> str:
    """The same, but the field may be missing, null or empty: then it is an empty text."""
    return clean(row.get(name), name, most=most)


def clean(value: Any, name: str, *, most: int | None = MOST_CHARACTERS) -> str:
    """A text with `\\n` at the ends of its lines; None is an empty one.

    Raises:
        BadField: it is something else, too long, or wrongly encoded.
    """
    if value is None:
        return ""
    if is_nan(value):
        raise BadField(f"{name}: NaN")
    if isinstance(value, bytes):
        value = _decoded(value, name)
    if isinstance(value, Bad):
        raise BadField(f"{name}: {value.reason}")
    if not isinstance(value, str):
        raise BadField(f"{name}: not a text")
    if most is not None and len(value) > most:
        raise BadField(f"{name}: too long")
    if "\0" in value or "�" in value or _has_surrogates(value):
        raise BadField(f"{name}: wrong encoding")
    return value.replace("\r\n", "\n").replace("\r", "\n")


def texts(value: Any, name: str) -> tuple[str, ...]:
    """A list of texts; blank ones, and ones that are broken themselves, are left out.

    Raises:
        BadField: it is no list, or holds something else than texts.
    """
    if not isinstance(value, list | tuple):
        raise BadField(f"{name}: not a list")
    if not all(isinstance(one, str) for one in value):
        raise BadField(f"{name}: not a list of texts")
    found = []
    for one in value:
        try:
            found.append(clean(one, name))
        except BadField:
            continue
    return tuple(one for one in found if one.strip())


def parsed(row: dict[str, Any], name: str) -> Any:
    """A field that holds JSON as a text; None when it is missing or empty.

    Raises:
        BadField: it is NaN, no JSON, or holds NaN or numbers that are too long.
    """
    value = row.get(name)
    if is_nan(value):
        raise BadField(f"{name}: NaN")
    if isinstance(value, bytes):
        value = _decoded(value, name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise BadField(f"{name}: not a text")
    try:
        return json.loads(value, parse_constant=_no_constant(name), parse_int=_int_of(name))
    except (ValueError, RecursionError) as error:
        raise BadField(f"{name}: invalid JSON") from error


def loose_text(value: Any) -> str:
    """A field that nothing depends on, such as an address; empty where it is broken."""
    try:
        return clean(value, "").strip()
    except BadField:
        return ""


def is_nan(value: Any) -> bool:
    """Whether it is the number that data frames write where nothing is."""
    return isinstance(value, float) and math.isnan(value)


def _decoded(value: bytes, name: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadField(f"{name}: wrong encoding") from error


def _has_surrogates(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _no_constant(name: str) -> Callable[[str], Any]:
    def refuse(constant: str) -> Any:
        raise BadField(f"{name}: NaN" if constant == "NaN" else f"{name}: infinite number")

    return refuse


def _int_of(name: str) -> Callable[[str], int]:
    def read(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise BadField(f"{name}: number of more than {_MOST_DIGITS} digits")
        return int(digits)

    return read
