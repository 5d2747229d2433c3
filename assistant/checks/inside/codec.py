# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, B905
"""Values as tagged JSON text, inside: the rules of `assistant.checks.values`, written again.

It is sent to the sandboxed process and executed there in the namespace of the program that uses
it, so it imports nothing of ours. A property test holds both writings together. Python's own
`json` is not imported: that would cost every run its start.
"""

import _json
import builtins
import sys

# The functions below keep a copy of the builtins, so a patched `len` only fools the program.
__builtins__ = dict(vars(builtins))

MAX_DEPTH = 100
MAX_INT_BITS = 1 << 22

_quote = _json.encode_basestring_ascii
_modules = sys.modules
_SMALL = 1 << 63
_TYPES = {
    value: value.__name__
    for name, value in vars(builtins).items()
    if type(value) is type and name[0] != "_"
}
for _value in (None, ..., NotImplemented):
    _TYPES[type(_value)] = type(_value).__name__
_NAMED = {name: value for value, name in _TYPES.items()}
_STDLIB = {
    "Counter": "collections",
    "OrderedDict": "collections",
    "defaultdict": "collections",
    "deque": "collections",
    "Fraction": "fractions",
    "Decimal": "decimal",
    "date": "datetime",
    "time": "datetime",
    "datetime": "datetime",
    "timedelta": "datetime",
    "timezone": "datetime",
}


def encode(value, keep=None, depth=0):
    """The canonical text of a value; `keep` turns what is no plain data into text, or raises."""
    kind = type(value)
    if value is None:
        return "null"
    if kind is str:
        return _text(value)
    if kind is int:
        return _integer(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return _float(value)
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value that is nested deeper than {MAX_DEPTH} levels")
    if kind is list:
        return _list(value, keep, depth)
    if kind is tuple:
        return '{"t": ' + _list(value, keep, depth) + "}"
    encoder = _ENCODERS.get(kind)
    if encoder is not None:
        return encoder(value, keep, depth)
    return _rare(value, kind, keep, depth)


def _text(value):
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return '{"s": "' + value.encode("utf-8", "surrogatepass").hex() + '"}'
    return _quote(value)


def _integer(value):
    if -_SMALL <= value < _SMALL:
        return int.__repr__(value)
    if value.bit_length() > MAX_INT_BITS:
        raise ValueError(f"an int of more than {MAX_INT_BITS} bits")
    return '{"x": "' + format(value, "x") + '"}'


def _float(value):
    text = float.__repr__(value)
    return '{"f": "' + text + '"}' if "n" in text else text


def _list(value, keep, depth):
    kinds = set(map(type, value))
    # What Python shows of a list of numbers is the canonical text already.
    if kinds == {int}:
        if min(value) >= -_SMALL and max(value) < _SMALL:
            return repr(value) if type(value) is list else repr(list(value))
    elif kinds == {float}:
        text = repr(value) if type(value) is list else repr(list(value))
        if "n" not in text:
            return text
    elif kinds == {str} and all(map(str.isascii, value)):
        return "[" + ", ".join(map(_quote, value)) + "]"
    return "[" + ", ".join([encode(item, keep, depth + 1) for item in value]) + "]"


def _sorted(value, keep, depth):
    return "[" + ", ".join(sorted([encode(item, keep, depth + 1) for item in value])) + "]"


def _dict(value, keep, depth):
    parts = []
    for key, item in dict.items(value):
        parts.append(encode(key, keep, depth + 1))
        parts.append(encode(item, keep, depth + 1))
    return '{"d": [' + ", ".join(parts) + "]}"


def _fields(tag, values, keep, depth):
    return '{"' + tag + '": [' + ", ".join([encode(v, keep, depth + 1) for v in values]) + "]}"


_ENCODERS = {
    dict: _dict,
    set: lambda value, keep, depth: '{"S": ' + _sorted(value, keep, depth) + "}",
    frozenset: lambda value, keep, depth: '{"F": ' + _sorted(value, keep, depth) + "}",
    bytes: lambda value, keep, depth: '{"b": "' + value.hex() + '"}',
    bytearray: lambda value, keep, depth: '{"B": "' + value.hex() + '"}',
    complex: lambda value, keep, depth: _fields("c", (value.real, value.imag), keep, depth),
    range: lambda value, keep, depth: _fields(
        "r", (value.start, value.stop, value.step), keep, depth
    ),
    type(...): lambda value, keep, depth: '{"E": 0}',
}


def _rare(value, kind, keep, depth):
    if kind is type and value in _TYPES:
        return '{"T": "' + _TYPES[value] + '"}'
    name = getattr(kind, "__name__", "")
    if type(name) is str and name in _STDLIB and kind is _stdlib(name):
        text = _stdlib_value(name, value, keep, depth)
        if text is not None:
            return text
    if keep is not None:
        return keep(value)
    raise TypeError(f"the value is no plain data: {type.__repr__(kind)}")


def _stdlib(name):
    module = _modules.get(_STDLIB[name])
    return getattr(module, name, None)


def _stdlib_value(name, value, keep, depth):
    if name == "Counter" or name == "OrderedDict":
        inner = _dict(value, keep, depth + 1) if name == "Counter" else _ordered(value, keep, depth)
        return '{"' + name + '": ' + inner + "}"
    if name == "defaultdict":
        factory = value.default_factory
        if factory is not None and (type(factory) is not type or factory not in _TYPES):
            return None
        parts = encode(factory, keep, depth + 1) + ", " + _dict(value, keep, depth + 1)
        return '{"defaultdict": [' + parts + "]}"
    if name == "deque":
        return _fields("deque", (list(value), value.maxlen), keep, depth)
    if name == "Decimal":
        return '{"Decimal": ' + _quote(str(value)) + "}"
    if name == "Fraction":
        return _fields("Fraction", (value.numerator, value.denominator), keep, depth)
    return _moment(name, value, keep, depth)


def _ordered(value, keep, depth):
    return _dict(dict(value.items()), keep, depth + 1)


def _moment(name, value, keep, depth):
    if name == "timedelta":
        return _fields(name, (value.days, value.seconds, value.microseconds), keep, depth)
    if name == "timezone":
        return _fields(name, value.__getinitargs__(), keep, depth)
    fields = ()
    if name != "time":
        fields += (value.year, value.month, value.day)
    if name != "date":
        zone = value.tzinfo
        if zone is not None and type(zone) is not _stdlib("timezone"):
            return None
        fields += (value.hour, value.minute, value.second, value.microsecond, value.fold, zone)
    return _fields(name, fields, keep, depth)


def decode(tree, find=None):
    """The value of what a parser of JSON made of the text; `find` gives a handle's object."""
    kind = type(tree)
    if kind is list:
        return [decode(item, find) for item in tree]
    if kind is not dict:
        return tree
    ((tag, inner),) = tree.items()
    if tag == "t":
        return tuple([decode(item, find) for item in inner])
    if tag == "d":
        items = [decode(item, find) for item in inner]
        return dict(zip(items[::2], items[1::2]))
    decoder = _DECODERS.get(tag)
    if decoder is not None:
        return decoder(inner, find)
    if tag in _STDLIB:
        return _decode_stdlib(tag, decode(inner, find))
    return find(tag, inner)


_DECODERS = {
    "x": lambda inner, find: int(inner, 16),
    "f": lambda inner, find: float(inner),
    "s": lambda inner, find: bytes.fromhex(inner).decode("utf-8", "surrogatepass"),
    "b": lambda inner, find: bytes.fromhex(inner),
    "B": lambda inner, find: bytearray.fromhex(inner),
    "c": lambda inner, find: complex(*[decode(item, find) for item in inner]),
    "S": lambda inner, find: {decode(item, find) for item in inner},
    "F": lambda inner, find: frozenset([decode(item, find) for item in inner]),
    "r": lambda inner, find: range(*[decode(item, find) for item in inner]),
    "E": lambda inner, find: ...,
    "T": lambda inner, find: _NAMED[inner],
}


def _decode_stdlib(name, inner):
    make = getattr(__import__(_STDLIB[name]), name)
    if name in ("Counter", "OrderedDict", "Decimal"):
        return make(inner)
    if name == "datetime":
        *moment, fold, zone = inner
        return make(*moment, tzinfo=zone, fold=fold)
    if name == "time":
        *moment, fold, zone = inner
        return make(*moment, tzinfo=zone, fold=fold)
    return make(*inner)
