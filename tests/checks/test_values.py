"""Values as text: what goes out comes back, both writings of the rules agree, strangers' text is
read or refused and nothing else."""

from __future__ import annotations

import collections
import contextlib
import datetime
import decimal
import fractions
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.checks import values
from assistant.checks.compare import same

CODEC = Path(values.__file__).with_name("inside") / "codec.py"
UTC = datetime.UTC
SETTINGS = settings(max_examples=150, deadline=None)


def _inside() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "codec"}
    exec(compile(CODEC.read_text("utf-8"), "<codec>", "exec"), names)
    return names


INSIDE = _inside()

surrogates = st.text(st.characters(exclude_categories=()), max_size=8)
zones = st.none() | st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)).map(
    datetime.timezone
)
moments = st.datetimes()
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | surrogates
    | st.binary(max_size=8)
    | st.binary(max_size=8).map(bytearray)
    | st.complex_numbers()
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([-2, 1, 3]))
    | st.just(...)
    | st.sampled_from([int, type(None), ValueError, OSError, object])
    | st.fractions()
    | st.decimals()
    | st.dates()
    | st.times()
    | moments
    | moments.map(lambda moment: moment.replace(tzinfo=UTC, fold=1))
    | st.timedeltas()
    | zones.filter(lambda zone: zone is not None)
)
keys = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-2, 2)
    | st.text(max_size=3)
    | st.tuples(st.integers(0, 3), st.text(max_size=2))
    | st.frozensets(st.integers(0, 4), max_size=3)
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(st.integers() | st.booleans(), max_size=5)
        | st.lists(st.floats(), max_size=5)
        | st.lists(st.text(max_size=3), max_size=5)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
        | st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict)
        | st.dictionaries(keys, inner, max_size=3).map(lambda d: collections.defaultdict(list, d))
        | st.dictionaries(keys, st.integers(), max_size=3).map(collections.Counter)
        | st.builds(collections.deque, st.lists(inner, max_size=3), st.none() | st.just(5))
    )


plain = st.recursive(leaves, _containers, max_leaves=12)


@SETTINGS
@given(plain)
def test_a_value_survives_its_text(value: Any) -> None:
    text = values.encode(value)
    back = values.decode(text)
    assert type(back) is type(value)
    assert values.encode(back) == text
    assert same(back, value, nan_equal=True)


@SETTINGS
@given(plain)
def test_both_sides_write_and_read_alike(value: Any) -> None:
    text = values.encode(value)
    assert INSIDE["encode"](value).encode() == text
    assert values.encode(INSIDE["decode"](json.loads(text))) == text


@SETTINGS
@given(plain, plain)
def test_equal_texts_are_equal_values(one: Any, other: Any) -> None:
    if values.encode(one) == values.encode(other):
        assert same(one, other, nan_equal=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 2], b"[1, 2]"),
        ([True, 1], b"[true, 1]"),
        ((), b'{"t": []}'),
        ({1: "a", "b": None}, b'{"d": [1, "a", "b", null]}'),
        ({3, 1, 2}, b'{"S": [1, 2, 3]}'),
        (2**63, b'{"x": "8000000000000000"}'),
        (-(2**63), b"-9223372036854775808"),
        (-0.0, b"-0.0"),
        (math.nan, b'{"f": "nan"}'),
        ([1.0, math.inf], b'[1.0, {"f": "inf"}]'),
        ("\ud800\udc00", b'{"s": "eda080edb080"}'),
        ("ä\n", b'"\\u00e4\\n"'),
        (OSError, b'{"T": "OSError"}'),
        (decimal.Decimal("0.10"), b'{"Decimal": "0.10"}'),
        (fractions.Fraction(-3, 6), b'{"Fraction": [-1, 2]}'),
    ],
)
def test_the_text_is_as_written_down(value: Any, text: bytes) -> None:
    assert values.encode(value) == text
    assert INSIDE["encode"](value).encode() == text


class Sub(int):
    pass


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Sub(1),
        Text("a"),
        object(),
        [object()],
        {1: Sub(2)},
        {Sub(2)},
        Sub,
        print,
        iter([]),
        collections.namedtuple("P", "x")(1),
        collections.defaultdict(lambda: 1),
        collections.UserDict(),
        {1: 2}.keys(),
        memoryview(b""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_data_is_refused_on_both_sides(value: Any) -> None:
    with pytest.raises(TypeError, match="no plain data"):
        values.encode(value)
    with pytest.raises(TypeError, match="no plain data"):
        INSIDE["encode"](value)


def test_depth_and_size_have_limits_on_both_sides() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    for value in (deep, cyclic, 1 << values.MAX_INT_BITS, (deep,), {1: deep}):
        for encode in (values.encode, INSIDE["encode"]):
            with pytest.raises(ValueError):
                encode(value)
    just: Any = 1
    for _ in range(values.MAX_DEPTH):
        just = (just,)
    assert values.decode(values.encode(just)) == just
    assert INSIDE["encode"](just).encode() == values.encode(just)


def _colliding(count: int) -> bytes:
    """Distinct ints of one hash: a set of them takes quadratic time to build."""
    prime = (1 << 61) - 1
    items = ", ".join(f'{{"x": "{prime * (k + 8):x}"}}' for k in range(count))
    return f'{{"S": [{items}]}}'.encode()


def _hashes(counts: list[int], kind: str = "S") -> bytes:
    """A set or dict of distinct ints, so many of each hash."""
    prime = (1 << 61) - 1
    ints = [f'{{"x": "{prime * (k + 8) + n:x}"}}' for n, c in enumerate(counts) for k in range(c)]
    items = [f"{one}, 0" for one in ints] if kind == "d" else ints
    return f'{{"{kind}": [{", ".join(items)}]}}'.encode()


HOSTILE = [
    b"",
    b"nul",
    b"[1, 2",
    b"1 2",
    b"NaN",
    b"Infinity",
    b"[-Infinity]",
    b"\xff",
    b'"\xc3\xa4"',
    b"[" * 100_000,
    b'{"t": ' * 50_000,
    b"[" * 150 + b"]" * 150,
    b"9" * 5_000,
    b"9" * 100,
    b'{"x": "' + b"f" * (values.MAX_INT_BITS // 4 + 3) + b'"}',
    b'{"x": 5}',
    b'{"x": "zz"}',
    b'{"f": "1.5"}',
    b'{"f": "nan", "f": "inf"}',
    b'{"t": [], "t": []}',
    b'{"t": [1], "S": []}',
    b"{}",
    b'{"h": 3}',
    b'{"t": 1}',
    b'{"t": null}',
    b'{"E": true}',
    b'{"d": [1]}',
    b'{"d": [[], 1]}',
    b'{"S": [[1]]}',
    b'{"S": [{"d": []}]}',
    b'{"d": [1, 2, 1, 2]}',
    b'{"d": [1, 2, true, 2]}',
    b'{"S": [1, 1.0]}',
    b'{"T": "Sandbox"}',
    b'{"T": "__import__"}',
    b'{"c": [1]}',
    b'{"c": ["1+2j", 1]}',
    b'{"r": [1, 2, 0]}',
    b'{"r": []}',
    b'{"b": "0"}',
    b'{"s": "ff"}',
    b'{"Fraction": [1, 0]}',
    b'{"Fraction": "1/2"}',
    b'{"Decimal": "abc"}',
    b'{"Counter": [1]}',
    b'{"Counter": {"t": []}}',
    b'{"defaultdict": []}',
    b'{"defaultdict": ["int", {"d": []}]}',
    b'{"deque": [1]}',
    b'{"deque": [[1], -1]}',
    b'{"date": [2023, 2, 29]}',
    b'{"datetime": []}',
    b'{"time": [25, 0, 0, 0, 0, null]}',
    b'{"timezone": [5]}',
    b'{"timedelta": [9999999999, 0, 0]}',
    _colliding(100_000),
    *(_hashes([20_000, *[1] * 20_000], kind) for kind in "SFd"),
    *(_hashes([500] * 40, kind) for kind in "SFd"),
    *(_hashes([100], kind) for kind in "SFd"),
    b'{"Fraction": [1, -2]}',
    b'{"Fraction": [1, null]}',
    b'{"Fraction": [true, 1]}',
]


def test_honest_sets_share_hashes_too() -> None:
    """Powers of two have 61 hashes, and -1 has that of -2."""
    powers = {1 << k for k in range(2900)}
    for value in (powers, {-1, -2}, dict.fromkeys(powers, 0), frozenset(powers)):
        assert values.decode(values.encode(value)) == value
    for kind in "SFd":
        assert len(values.decode(_hashes([60] * 50, kind))) == 3000


class Counted(int):
    """An int that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return int(self) == other

    def __hash__(self) -> int:
        return int(self) % ((1 << 61) - 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=100))
def test_building_a_set_compares_each_element_with_a_few(counts: list[int]) -> None:
    prime = (1 << 61) - 1
    items = [Counted(prime * (k + 1) + n) for n, c in enumerate(counts) for k in range(c)]
    Counted.compared = 0
    with contextlib.suppress(ValueError):
        values._read_set(items)
    assert Counted.compared <= 20 * max(len(items), 8)


def test_the_terms_of_a_fraction_are_not_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their greatest common divisor would cost a stranger nothing and us minutes."""
    huge = "f1e2d3c4b5a69788" * 60_000
    with monkeypatch.context() as patched:
        patched.setattr("math.gcd", lambda *numbers: pytest.fail("computed"))
        value = values.decode(f'{{"Fraction": [{{"x": "1{huge}"}}, {{"x": "7{huge}"}}]}}'.encode())
    assert type(value) is fractions.Fraction and value.numerator.bit_length() > 3_000_000
    assert values.decode(b'{"Fraction": [2, 4]}') != fractions.Fraction(1, 2)
    assert values.decode(b'{"Fraction": [-1, 2]}') == fractions.Fraction(-1, 2)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:24].decode("latin-1"))
def test_text_of_a_stranger_is_refused_with_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        values.decode(text)


@SETTINGS
@given(plain, st.data())
def test_damaged_text_never_gives_another_error(value: Any, data: st.DataObject) -> None:
    text = bytearray(values.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(place, min(len(text), place + 3)))
        text[place:end] = data.draw(
            st.sampled_from([b"", b"[", b"}", b'"', b"1", b"t", b"{", b","])
        )
    with contextlib.suppress(ValueError):
        values.decode(bytes(text))
