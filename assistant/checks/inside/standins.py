# mypy: ignore-errors
# ruff: noqa: D102, SIM905, ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, F821
"""What stands here for the objects and classes of the other process.

It runs in the namespace of `peer`. A class of the other side has a local class of the same name
with the special methods that it has there, so that `len`, `callable`, `isinstance` and `except`
say what they would say of the object itself; every use is a question to the other side.
"""

from _weakref import ref

_COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
_BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or".split()
_ARITHMETIC = {f"__{r}{name}__" for name in _BINARY for r in ("", "r", "i")} - {"__idivmod__"}
SPECIAL = frozenset(
    _COMPARISONS
    | _ARITHMETIC
    | {
        f"__{name}__"
        for name in (
            "call len length_hint getitem setitem delitem iter next reversed contains bool int "
            "float complex index round trunc floor ceil abs neg pos invert hash enter exit await "
            "aiter anext aenter aexit str repr format bytes fspath get set"
        ).split()
    }
)
_LOCAL_OF_CLASSES = frozenset(
    "__name__ __qualname__ __module__ __mro__ __bases__ __base__ __dict__ __class__ mro "
    "__subclasshook__ __abstractmethods__ __flags__ __basicsize__ __instancecheck__ "
    "__subclasscheck__ __weakrefoffset__ __dictoffset__ __itemsize__".split()
)


class RemoteClass(type):
    """The type of the local classes that stand for classes of the other side."""

    def __new__(mcs, name, bases, space, **_):
        raise unsupported(f"a class {name} that derives from a class of the code")

    def __call__(cls, *args, **kwargs):
        return ask("call", cls, args, kwargs)

    def __getattribute__(cls, name):
        if name in _LOCAL_OF_CLASSES:
            return type.__getattribute__(cls, name)
        if name == "__copy__":
            return lambda target: ask("copy", target)
        check_attribute(cls, name)
        return ask("get", cls, name)

    def __setattr__(cls, name, value):
        ask("set", cls, name, value)

    def __delattr__(cls, name):
        ask("del", cls, name)

    def __instancecheck__(cls, value):
        if type.__instancecheck__(cls, value):
            return True
        asked = type(type(value)) is RemoteClass or type(value) in _SCALARS
        return bool(asked and ask("isinstance", value, cls))

    def __subclasscheck__(cls, other):
        if type.__subclasscheck__(cls, other):
            return True
        return bool(type(other) is RemoteClass and ask("issubclass", other, cls))

    def __bool__(cls):
        return True

    def __getitem__(cls, key):
        return ask("item", cls, key)

    def __iter__(cls):
        return ask("special", cls, "__iter__", ())

    def __len__(cls):
        return ask("special", cls, "__len__", ())

    def __contains__(cls, value):
        return ask("special", cls, "__contains__", (value,))

    def __repr__(cls):
        return ask("special", cls, "__repr__", ())


def unsupported(what):
    """What a use raises that can not cross; a role may do more."""
    return TypeError(f"the tests need {what}")


def _stand_in_space():
    """What every stand-in of an instance does by itself."""

    def __getattribute__(self, name):
        if name == "__class__":
            return type(self)
        if name == "__deepcopy__":
            return lambda memo: ask("deepcopy", self)
        check_attribute(self, name)
        return ask("get", self, name)

    def __setattr__(self, name, value):
        ask("set", self, name, value)

    def __delattr__(self, name):
        ask("del", self, name)

    def __dir__(self):
        return ask("dir", self)

    def __del__(self):
        released.append(_get_number(self))

    def __hash__(self):
        return hash((_get_number(self), "stand-in"))

    made = {name: value for name, value in locals().items() if name.startswith("__")}
    for name in ("__repr__", "__str__", "__format__"):
        made[name] = _forward(name)
    for name in ("__eq__", "__ne__"):
        made[name] = _default_comparison(name)
    return made | {"__slots__": ("_number", "__weakref__"), "__module__": "answer"}


def check_attribute(target, name):
    """Refuse the use of an attribute; a role may."""


def check_operand(target, name, arguments):
    """Refuse an operation of a stand-in with data; a role may."""


def check_special(target, name, arguments):
    """Refuse any other special method of a stand-in; a role may."""


def check_result(target, name, arguments, value):
    """Refuse what came of an operation; a role may."""


def _default_comparison(name):
    def compare(self, other):
        answer = check_operand(self, name, (other,))
        if answer is not None:
            return answer[0]
        return (self is other) is (name == "__eq__")

    return compare


def _forward(name):
    def forward(self, *arguments):
        check_special(self, name, arguments)
        return ask("special", self, name, arguments)

    def guarded(self, *arguments):
        answer = check_operand(self, name, arguments)
        if answer is not None:
            return answer[0]
        value = ask("special", self, name, arguments)
        check_result(self, name, arguments, value)
        return value

    if name in _COMPARISONS or name in _ARITHMETIC or name == "__contains__":
        return guarded
    return _call_there if name == "__call__" else forward


def _call_there(self, *args, **kwargs):
    return ask("call", self, args, kwargs)


def _await_here(self):
    return ask("await", self)
    yield


def _send_here(self, value):
    raise StopIteration(ask("await", self))


def _close_here(self):
    pass


def _throw_here(self, *error):
    raise error[0] if isinstance(error[0], BaseException) else error[0]()


def _coroutine_get(self, name):
    """A coroutine runs to its end where it was made, as one step of the loop here."""
    if name in ("send", "close", "throw"):
        return object.__getattribute__(self, name)
    return type(self).__mro__[1].__dict__["__getattribute__"](self, name)


Proxy = type.__new__(RemoteClass, "object", (object,), _stand_in_space())
_slot = type.__getattribute__(Proxy, "__dict__")["_number"]
_get_number, _set_number = _slot.__get__, _slot.__set__


def remote_number(value):
    """The other side's number of what stands for its object here."""
    if type(value) is RemoteClass:
        return class_numbers[id(value)]
    if isinstance(value, BaseException):
        return vars(value)["__number__"]
    return _get_number(value)


class_numbers = {}


def _is_returning(value):
    """True for an exception that came from the other side."""
    return isinstance(value, BaseException) and "__number__" in vars(value)


def _stand_in(n, kind):
    weak = stand_ins.get(n)
    value = weak() if weak is not None else None
    if value is None:
        value = object.__new__(kind if type(kind) is RemoteClass else Proxy)
        _set_number(value, n)
        stand_ins[n] = ref(value)
        if n in released:
            released.remove(n)
    return value


def _mirror(inner):
    """A local class for one of theirs: same name, same special methods, bases mirrored."""
    n, (name, qualname, module, specials), bases = inner
    known = class_known(module, qualname)
    if known is not None:
        known_classes[n] = known
        return known
    parents = tuple(dict.fromkeys(unpack(base) for base in bases))
    space = {"__module__": module, "__qualname__": qualname}
    is_error = any(issubclass(parent, BaseException) for parent in parents)
    if is_error:
        space |= {"__str__": lambda self: vars(self)["__message__"], "__getattr__": _error_get}
    else:
        parents = tuple(p for p in parents if type(p) is RemoteClass) or (Proxy,)
        space["__slots__"] = ()
        for special in specials:
            if special[0] == "_":
                space[special] = _forward(special)
        if "!hash" in specials:
            space["__hash__"] = None
        if "__await__" in specials:
            space["__await__"] = _await_here
        if name == "coroutine":
            space |= {"send": _send_here, "close": _close_here, "throw": _throw_here}
            space["__getattribute__"] = _coroutine_get
    try:
        made = type.__new__(RemoteClass, name, parents, space)
    except TypeError:  # bases that Python can not put together here
        space.setdefault("__slots__", ())
        made = type.__new__(RemoteClass, name, (Exception,) if is_error else (Proxy,), space)
    known_classes[n] = made
    class_numbers[id(made)] = n
    return made


def class_known(module, qualname):
    """The class of the standard library that stands for theirs, or None; a role may know some."""


def _error_get(self, name):
    if name[:2] == "__" and name[-2:] == "__":
        raise AttributeError(name)
    return ask("get", self, name)


def _raised(inner):
    """A local exception for one of theirs."""
    n, kind, text, args = inner
    kind = unpack(kind)
    if not issubclass(kind, BaseException):
        raise ValueError("an exception that is none")
    args = tuple([unpack(arg) for arg in args])
    builtin = next(one for one in kind.__mro__ if type(one) is not RemoteClass)
    try:
        error = builtin.__new__(kind, *args)
        if type(kind) is not RemoteClass:
            error.__init__(*args)
    except Exception:
        error = Exception.__new__(kind) if issubclass(kind, Exception) else kind.__new__(kind)
    error.args = args
    vars(error).update(__number__=n, __message__=text)
    return error
