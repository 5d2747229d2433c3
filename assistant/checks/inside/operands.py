# mypy: ignore-errors
# ruff: noqa: SIM905, ANN001, ANN201, ANN202, F821
"""What the tests may do with objects of the code and data of their own.

It runs in the namespace of `tester`. An object that is equal to everything, or nearer than any
tolerance, must not hold an assert: the code's process is never asked to compare with what the tests
know, and to calculate with it only where they know the object's class, as in `Vector(1, 2) * 3`.

A difference is what tests of numbers calculate (`abs(f(1) - 2.5) < 1e-6`), so what comes of it is
no number, and can not be made one.
"""

_PREDICATES = frozenset(
    "startswith endswith issubset issuperset isdisjoint count index find rindex rfind".split()
)
_DISTANCES = {f"__{r}{name}__" for name in ("sub", "truediv", "xor") for r in ("", "r", "i")}
_DIFFERENCES = {"__sub__", "__rsub__", "__isub__"}
_AS_NUMBERS = {
    f"__{name}__" for name in "abs round trunc floor ceil int float complex index bool len".split()
}
_TEXTUAL = {"pathlib", "uuid", "ipaddress"}  # whose values are what their texts say
_differences = set()  # numbers of objects that came of a difference with data


def _named(target):
    return any(one.__name__ in _setup["classes"] for one in type(target).__mro__[:-1])


def _is_stand_in(value):
    return type(type(value)) is RemoteClass or type(value) is RemoteClass


def check_attribute(target, name):
    """Refuse to ask an object that stands where a text or a set is expected."""
    if name in ("__signature__", "__dataclass_fields__"):
        unsupported("what `inspect` or `dataclasses` knows of an object of the code")
    if name in _PREDICATES and type(target) is not RemoteClass and not _named(target):
        raise TypeError(_no_data(target))


def check_special(target, name, arguments):
    """Refuse a number for what came of a difference."""
    if name in _AS_NUMBERS and remote_number(target) in _differences:
        raise TypeError(_no_data(target))


def check_result(target, name, arguments, value):
    """Refuse data where the code was told what may be expected; remember what came of it."""
    told = any(not _is_stand_in(argument) for argument in arguments)
    if told and name in _DISTANCES and not _is_stand_in(value) and value is not NotImplemented:
        raise TypeError(_no_data(target))
    if not _is_stand_in(value):
        return
    came = {remote_number(one) for one in (target, *arguments) if _is_stand_in(one)}
    if name in _ARITHMETIC and ((told and name in _DIFFERENCES) or came & _differences):
        _differences.add(remote_number(value))


def check_operand(target, name, arguments):
    """None when the code may be asked, else the answer in a tuple; an error for data."""
    data = [value for value in arguments if not _is_stand_in(value)]
    if not data:
        return None
    if name in _COMPARISONS:
        return (_compared(target, name, data[0]),)
    if _named(target):
        return None
    if name == "__contains__" and type(target).__module__ == "builtins":
        return (any(value is data[0] or value == data[0] for value in target),)
    raise TypeError(_no_data(target))


def _compared(target, name, value):
    if value is None and name in ("__eq__", "__ne__"):
        return name == "__ne__"
    if type(value).__module__ in _TEXTUAL and type(target).__module__ in _TEXTUAL:
        return getattr(type(value)(str(target)), name)(value)
    try:
        plain = ask("plain", target)
    except TypeError:
        raise TypeError(_no_data(target)) from None
    if _is_stand_in(plain):
        raise TypeError(_no_data(target))
    return getattr(plain, name)(value)


def _no_data(target):
    kind = type(target).__name__
    return f"the code gave an object of type {kind}, and the tests use it like plain data"
