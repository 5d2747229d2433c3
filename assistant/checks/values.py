"""Values as tagged, canonical JSON text: how an answer leaves the sandbox, and nothing else does.

Only values of exact built-in types, and of a few types of the standard library, have a text:

    None True False            null true false
    int                        its digits; beyond 64 bits {"x": "-1f..."} (hexadecimal)
    float                      its shortest text (1.0, 1e+22); {"f": "nan"}, "inf", "-inf"
    str                        a JSON string; with surrogates {"s": its bytes in hexadecimal}
    bytes, bytearray           {"b": "00ff"}, {"B": "00ff"}
    complex                    {"c": [real, imaginary]}
    list, tuple                [1, 2], {"t": [1, 2]}
    set, frozenset             {"S": [...]}, {"F": [...]}, sorted by their texts
    dict                       {"d": [key, value, key, value]} in its own order
    range, ..., built-in types {"r": [start, stop, step]}, {"E": 0}, {"T": "int"}
    Counter, OrderedDict       {"Counter": {"d": [...]}}
    defaultdict                {"defaultdict": [factory, {"d": [...]}]}; a built-in type or None
    deque                      {"deque": [[...], maxlen]}
    Fraction, Decimal          {"Fraction": [3, 4]}, {"Decimal": "0.10"}
    date, time, datetime, ...  {"date": [2024, 2, 29]}; zones of type timezone only

Equal texts mean values that agree in type and in everything that can be seen, so comparing bytes
is the fast way to a match. The separator is ", " because that is how Python itself shows a list
of numbers. `inside/codec.py` holds the same rules for the other side; what comes from there is
read by `decode` as what it is: text of a stranger.
"""

from __future__ import annotations

import builtins
import collections
import functools
import json
import json.encoder
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import datetime
    import fractions

MAX_DEPTH = 100
"""Levels of nesting; the stack of the reader is finite."""
MAX_INT_BITS = 1 << 22

_SMALL = 1 << 63
_FEW, _MANY = 8, 64
_LEAVES = {str, float, bool, type(None)}
_TYPES: dict[type, str] = {
    value: value.__name__
    for name, value in vars(builtins).items()
    if type(value) is type and not name.startswith("_")
} | {type(value): type(value).__name__ for value in (None, ..., NotImplemented)}
_NAMED = {name: value for value, name in _TYPES.items()}
_quote = json.encoder.encode_basestring_ascii


def encode(value: Any) -> bytes:
    """The canonical text of `value`.

    Raises:
        TypeError: it is, or holds, something that is no plain data.
        ValueError: it is nested deeper than `MAX_DEPTH`, or holds an int beyond `MAX_INT_BITS`.
    """
    return _encode(value, 0).encode("ascii")


def decode(text: bytes) -> Any:
    """The value that `text` stands for.

    Raises:
        ValueError: `text` is not written by the rules of this module, or oversteps its limits.
    """
    return read(parse(text))


def parse(text: bytes) -> Any:
    """What JSON makes of `text`: numbers, strings, lists, and objects of exactly one member.

    Raises:
        ValueError: `text` is no such JSON.
    """
    try:
        return _PARSER.decode(text.decode("ascii"))
    except RecursionError:
        raise ValueError("a value that is nested too deeply") from None


def _single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) != 1:
        raise ValueError(f"an object of {len(pairs)} members")
    return dict(pairs)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


_PARSER = json.JSONDecoder(object_pairs_hook=_single, parse_constant=_refuse)


def _encode(value: Any, depth: int) -> str:
    kind = type(value)
    if (simple := _SIMPLE.get(kind)) is not None:
        return simple(value)
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value that is nested deeper than {MAX_DEPTH} levels")
    if kind is list:
        return _list(value, depth)
    if (tagged := _TAGGED.get(kind) or _library()[0].get(kind)) is None:
        raise TypeError(f"the value is no plain data: {kind!r}")
    tag, parts = tagged
    return f'{{"{tag}": {parts(value, depth)}}}'


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return f'{{"s": "{value.encode("utf-8", "surrogatepass").hex()}"}}'
    return _quote(value)


def _integer(value: int) -> str:
    if -_SMALL <= value < _SMALL:
        return repr(value)
    if value.bit_length() > MAX_INT_BITS:
        raise ValueError(f"an int of more than {MAX_INT_BITS} bits")
    return f'{{"x": "{value:x}"}}'


def _float(value: float) -> str:
    text = repr(value)
    return f'{{"f": "{text}"}}' if "n" in text else text


def _list(value: Collection[Any], depth: int) -> str:
    kinds = set(map(type, value))
    if kinds == {int}:
        if min(value) >= -_SMALL and max(value) < _SMALL:
            return repr(list(value))
    elif kinds == {float} and "n" not in (text := repr(list(value))):
        return text
    return _joined(_encode(item, depth + 1) for item in value)


def _joined(parts: Iterable[str]) -> str:
    return "[" + ", ".join(parts) + "]"


def _sorted(value: Collection[Any], depth: int) -> str:
    return _joined(sorted(_encode(item, depth + 1) for item in value))


def _pairs(value: dict[Any, Any], depth: int) -> str:
    return _joined(_encode(part, depth + 1) for pair in value.items() for part in pair)


def _dict(value: dict[Any, Any], depth: int) -> str:
    return f'{{"d": {_pairs(value, depth + 1)}}}'


def _defaultdict(value: collections.defaultdict[Any, Any], depth: int) -> str:
    factory = value.default_factory
    if factory is not None and (type(factory) is not type or factory not in _TYPES):
        raise TypeError(f"the value is no plain data: a defaultdict of {factory!r}")
    return f"[{_encode(factory, depth + 1)}, {_dict(value, depth)}]"


def _of_day(value: datetime.time | datetime.datetime) -> tuple[Any, ...]:
    return (value.hour, value.minute, value.second, value.microsecond, value.fold, value.tzinfo)


def _of(fields: Callable[[Any], Iterable[Any]]) -> Callable[[Any, int], str]:
    return lambda value, depth: _joined(_encode(field, depth + 1) for field in fields(value))


_SIMPLE: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "null",
    bool: lambda value: "true" if value else "false",
    int: _integer,
    float: _float,
    str: _text,
}
_TAGGED: dict[type, tuple[str, Callable[[Any, int], str]]] = {
    tuple: ("t", _list),
    set: ("S", _sorted),
    frozenset: ("F", _sorted),
    dict: ("d", _pairs),
    bytes: ("b", lambda value, depth: f'"{value.hex()}"'),
    bytearray: ("B", lambda value, depth: f'"{value.hex()}"'),
    complex: ("c", _of(lambda value: (value.real, value.imag))),
    range: ("r", _of(lambda value: (value.start, value.stop, value.step))),
    type(...): ("E", lambda value, depth: "0"),
    type: ("T", lambda value, depth: _type(value)),
    collections.Counter: ("Counter", _dict),
    collections.OrderedDict: ("OrderedDict", _dict),
    collections.defaultdict: ("defaultdict", _defaultdict),
    collections.deque: ("deque", _of(lambda value: (list(value), value.maxlen))),
}


def _type(value: type) -> str:
    if value not in _TYPES:
        raise TypeError(f"the value is no plain data: {value!r}")
    return f'"{_TYPES[value]}"'


def read(tree: Any, handle: Callable[[str, Any], Any] | None = None, depth: int = 0) -> Any:
    """The value of a parsed text.

    Args:
        tree: what `parse` made.
        handle: gives a meaning to a tag that this module does not know, or raises ValueError.
        depth: how deep `tree` lies in what is being read.

    Raises:
        ValueError: `tree` is not written by the rules of this module, or oversteps its limits.
    """
    kind = type(tree)
    if kind is not list and kind is not dict:
        if kind is int and not -_SMALL <= tree < _SMALL:
            raise ValueError("an int of more than 64 bits that is no {'x': ...}")
        return tree
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value that is nested deeper than {MAX_DEPTH} levels")
    if kind is list:
        return _read_items(tree, handle, depth)
    ((tag, inner),) = cast(dict[str, Any], tree).items()
    if (reader := _READERS.get(tag) or _library()[1].get(tag)) is None:
        if handle is None:
            raise ValueError(f"an unknown tag {tag[:40]!r}")
        return handle(tag, inner)
    wanted, make = reader
    if type(inner) is not wanted:
        raise ValueError(f"{tag!r} holds a value of another kind")
    held: Any = inner
    if wanted is list:
        held = _read_items(cast(list[Any], inner), handle, depth)
    elif wanted is dict:
        held = read(inner, handle, depth + 1)
    try:
        return make(held)
    except (TypeError, ArithmeticError, OverflowError, KeyError) as error:
        raise ValueError(f"{tag!r} holds what is no such value: {error}") from None


def _read_items(tree: list[Any], handle: Callable[[str, Any], Any] | None, depth: int) -> list[Any]:
    kinds = set(map(type, tree))
    # Most lists hold numbers or texts, and are what they stand for already.
    if kinds <= _LEAVES or (kinds == {int} and min(tree) >= -_SMALL and max(tree) < _SMALL):
        return tree
    return [read(item, handle, depth + 1) for item in tree]


def _read_int(text: str) -> int:
    if len(text) > MAX_INT_BITS // 4 + 2:
        raise ValueError(f"an int of more than {MAX_INT_BITS} bits")
    return int(text, 16)


def _read_float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError(f"{text[:40]!r} is no special float")
    return float(text)


def _distinct(items: list[Any]) -> list[Any]:
    """`items`, unless so many of them share hashes that a set of them would take for ever to build.

    Elements of one hash are compared each with each. Of ints, which compare quickly, the bound
    lets the first 3900 powers of two through, which have 61 hashes together.
    """
    if len(items) > _FEW:
        few = _MANY if set(map(type, items)) == {int} else _FEW
        shared = collections.Counter(map(hash, items)).values()
        if sum(count * count for count in shared) > few * len(items):
            raise ValueError("too many elements or keys with the same hash")
    return items


def _read_dict(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("a dict with a key that has no value")
    value = dict(zip(_distinct(items[::2]), items[1::2], strict=True))
    if 2 * len(value) != len(items):
        raise ValueError("a dict with the same key twice")
    return value


def _read_set(items: list[Any]) -> frozenset[Any]:
    value = frozenset(_distinct(items))
    if len(value) != len(items):
        raise ValueError("a set with the same element twice")
    return value


def _read_defaultdict(fields: list[Any]) -> Any:
    factory, items = fields
    if factory is not None and factory not in _TYPES:
        raise ValueError("a defaultdict of what is no built-in type")
    return collections.defaultdict(factory, _plain_dict(items))


def _plain_dict(value: Any) -> dict[Any, Any]:
    if type(value) is not dict:
        raise ValueError("what should be a dict is none")
    return value


def _typed(make: Callable[..., Any], *kinds: type) -> Callable[[list[Any]], Any]:
    """A reader of as many fields as there are kinds; None may stand for the last of them."""

    def reader(fields: list[Any]) -> Any:
        found = tuple(map(type, fields))
        if found != kinds and found != (*kinds[:-1], type(None)):
            raise ValueError("fields of other types")
        return make(*fields)

    return reader


def _clock(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *fields: make(*fields[:-2], fold=fields[-2], tzinfo=fields[-1])


def _read_fraction(kind: type, numerator: int, denominator: int) -> fractions.Fraction:
    """A fraction in the terms that it came in: the lowest could take minutes to find.

    The program inside gives lowest terms; others equal nothing, and prove a forgery. The names of
    the fields are those of every version of Python 3.
    """
    if denominator < 1:
        raise ValueError("a fraction whose denominator is not positive")
    value: Any = object.__new__(kind)
    value._numerator, value._denominator = numerator, denominator
    return cast("fractions.Fraction", value)


def _read_type(name: str) -> type:
    return _NAMED[name]


_READERS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "t": (list, tuple),
    "S": (list, lambda items: set(_read_set(items))),
    "F": (list, _read_set),
    "d": (list, _read_dict),
    "x": (str, _read_int),
    "f": (str, _read_float),
    "s": (str, lambda text: bytes.fromhex(text).decode("utf-8", "surrogatepass")),
    "b": (str, bytes.fromhex),
    "B": (str, bytearray.fromhex),
    "c": (list, _typed(complex, float, float)),
    "r": (list, _typed(range, int, int, int)),
    "E": (int, lambda inner: ...),
    "T": (str, _read_type),
    "Counter": (dict, lambda items: collections.Counter(_plain_dict(items))),
    "OrderedDict": (dict, lambda items: collections.OrderedDict(_plain_dict(items))),
    "defaultdict": (list, _read_defaultdict),
    "deque": (list, _typed(collections.deque, list, int)),
}


@functools.cache
def _library() -> tuple[
    dict[type, tuple[str, Callable[[Any, int], str]]],
    dict[str, tuple[type, Callable[[Any], Any]]],
]:
    """The writers and readers of types whose modules cost more to import than a check to run."""
    from datetime import date, datetime, time, timedelta, timezone
    from decimal import Decimal
    from fractions import Fraction

    writers: dict[type, tuple[str, Callable[[Any, int], str]]] = {
        Fraction: ("Fraction", _of(lambda value: (value.numerator, value.denominator))),
        Decimal: ("Decimal", lambda value, depth: _quote(str(value))),
        date: ("date", _of(lambda value: (value.year, value.month, value.day))),
        time: ("time", _of(_of_day)),
        datetime: (
            "datetime",
            _of(lambda value: (value.year, value.month, value.day, *_of_day(value))),
        ),
        timedelta: (
            "timedelta",
            _of(lambda value: (value.days, value.seconds, value.microseconds)),
        ),
        timezone: ("timezone", _of(lambda value: value.__getinitargs__())),
    }
    readers: dict[str, tuple[type, Callable[[Any], Any]]] = {
        "Fraction": (list, _typed(functools.partial(_read_fraction, Fraction), int, int)),
        "Decimal": (str, Decimal),
        "date": (list, _typed(date, int, int, int)),
        "time": (list, _typed(_clock(time), *[int] * 5, timezone)),
        "datetime": (list, _typed(_clock(datetime), *[int] * 8, timezone)),
        "timedelta": (list, _typed(timedelta, int, int, int)),
        "timezone": (list, lambda fields: timezone(*fields)),
    }
    return writers, readers
