# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, F821
"""Values as text for the other process: data as data, the rest as numbers with a description.

It runs in the namespace of `peer`, on top of `codec`. The tags beside the codec's:

    {"M": [number, kind, parts, extra]}        a container, linked from now on
    {"@": number}                              a container that is linked already
    {"O": [number, class]}                     an object of the sender
    {"C": [number, [name, qualified name, module, special methods], bases]}    a class of it
    {"X": [number, class, text, arguments]}    an exception of it
    {"h": number}                              what one of the sides has described before
    {"R": [module, name]}                      something of the standard library
    {"slice": [start, stop, step]}, {"N": 0}   a slice, NotImplemented
"""


def pack(value, depth=0):
    """The text of any value, `depth` levels inside another."""
    kind = type(value)
    if kind is tuple:
        return '{"t": ' + _joined(value, depth) + "}"
    name = _kin(kind)
    if name is None:
        return encode(value, keep, depth)
    n = numbers.get(id(value))
    if n is not None:
        return f'{{"@": {n}}}'
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value that is nested deeper than {MAX_DEPTH} levels")
    extra = None
    if name == "defaultdict":
        extra = value.default_factory
        if extra is not None and extra not in _TYPES:
            return keep(value)
    elif name == "deque":
        extra = value.maxlen
    n = number()
    parts = _parts(value)
    numbers[id(value)] = n
    shared[n] = [value, parts]
    fresh.append(n)
    return f'{{"M": [{n}, "{name}", {_joined(parts, depth)}, {encode(extra)}]}}'


_SCALARS = {int, float, str, bool, type(None), bytes}


def _joined(parts, depth):
    if set(map(type, parts)) <= _SCALARS:
        return _list(parts, None, depth)
    return "[" + ", ".join([pack(part, depth + 1) for part in parts]) + "]"


def keep(value):
    """The text of what is no plain data."""
    if value is Proxy:
        return '{"T": "object"}'
    if type(type(value)) is RemoteClass or type(value) is RemoteClass or _is_returning(value):
        return f'{{"h": {remote_number(value)}}}'
    if type(value) is slice:
        return '{"slice": ' + _joined((value.start, value.stop, value.step), 0) + "}"
    if value is NotImplemented:
        return '{"N": 0}'
    text = special_export(value)
    if text is not None:
        return text
    if isinstance(value, type):
        return _class_text(value)
    if isinstance(value, BaseException):
        return _error_text(value)
    return f'{{"O": [{_export(value)}, {_mirror_text(type(value))}]}}'


def special_export(value):
    """Another way to give `value` away, or None; a role may refuse here."""


def _export(value):
    n = own.get(id(value))
    if n is None:
        n = own[id(value)] = number()
        exported[n] = value
        fresh.append(n)
    return n


def _class_text(kind):
    if getattr(builtins, kind.__name__, None) is kind:
        return '{"T": ' + encode(kind.__name__) + "}"
    return _mirror_text(kind)


def _mirror_text(kind):
    """What the other side needs for a class of its own that stands for `kind`."""
    n = own.get(id(kind))
    if n is not None:
        return f'{{"h": {n}}}'
    n = _export(kind)
    mro = type.__getattribute__(kind, "__mro__")
    bases = [base for base in kind.__bases__ if base is not object and _mirrored(base)]
    found = set()
    for one in mro[: mro.index(object)]:
        found |= SPECIAL & one.__dict__.keys()
    if getattr(kind, "__hash__", None) is None:
        found.discard("__hash__")
        found.add("!hash")
    texts = ", ".join(map(_class_text, bases))
    module = kind.__module__ if type(kind.__module__) is str else ""
    said = encode([kind.__name__, kind.__qualname__, module, sorted(found)])
    return f'{{"C": [{n}, {said}, [{texts}]]}}'


def _mirrored(base):
    return issubclass(base, BaseException) or getattr(builtins, base.__name__, None) is not base


_MOST_OF_AN_ARGUMENT = 100_000


def _error_text(error):
    texts = [_argument_text(value) for value in error.args]
    message = encode(_shown(error)[:2000])
    kind = _class_text(type(error))
    return f'{{"X": [{_export(error)}, {kind}, {message}, [{", ".join(texts)}]]}}'


def _argument_text(value):
    """An argument of an exception; what can not cross, or would fill the message, as its text."""
    before = len(fresh)
    try:
        text = pack(value, 1)
        if len(text) <= _MOST_OF_AN_ARGUMENT:
            return text
    except (TypeError, ValueError):
        pass
    forget(before)
    return encode(_shown(value)[:2000])


def _shown(value):
    try:
        text = str(value)
        return text if type(text) is str else ""
    except Exception:
        return ""


def unpack(tree):
    """The value of what was parsed of such a text."""
    if type(tree) is not dict:
        return tree
    ((tag, inner),) = tree.items()
    if tag == "t":
        return tuple([unpack(part) for part in inner])
    if tag == "@":
        return shared[inner][0]
    if tag != "M":
        return decode(tree, find)
    n, name, parts, extra = inner
    value = _empty(name, decode(extra))
    numbers[id(value)] = n
    entry = shared[n] = [value, ()]
    _fill(value, [unpack(part) for part in parts])
    entry[1] = _parts(value)
    return value


def find(tag, inner):
    """The object that a tag of ours stands for."""
    if tag == "h":
        return exported[inner] if inner % 2 == SIDE else known_classes[inner]
    if tag == "O":
        return _stand_in(inner[0], unpack(inner[1]))
    if tag == "C":
        return _mirror(inner)
    if tag == "X":
        return _raised(inner)
    if tag == "slice":
        return slice(*[unpack(part) for part in inner])
    if tag == "N":
        return NotImplemented
    if tag in ("@", "M"):
        return unpack({tag: inner})
    return special_import(tag, inner)


def special_import(tag, inner):
    """The object of another tag; a role may know some."""
    raise ValueError(f"an unknown tag {tag}")
