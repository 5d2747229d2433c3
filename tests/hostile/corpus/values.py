"""Answers that only look like values."""

from tests.hostile.program import NOT_PASS, SHORT, Case, Hostile

_TYPE_ERROR = ("error TypeError",)
_LIAR = """
class Liar:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 2
    def __len__(self): return 1
    def __iter__(self): return iter([2])
    def __bool__(self): return True
    def __index__(self): return 2
    __int__ = __index__
"""


def _fake(name: str, answer: str, before: str = _LIAR, expected: object = 2) -> Hostile:
    return Hostile(
        name=f"fake value: {name}",
        kind="fake value",
        intent="answers with something that compares equal without being the value",
        source=f"{before}\ndef f(x):\n    return {answer}\n",
        bubblewrap=_TYPE_ERROR,
        calls=(Case((1,), expected),),
    )


def _near(name: str, answer: str, expected: object, allowed: tuple[str, ...]) -> Hostile:
    return Hostile(
        name=f"near value: {name}",
        kind="strict compare",
        intent="answers with a plain value that a lax comparison would take",
        source=f"def f(x):\n    return {answer}\n",
        bubblewrap=allowed,
        calls=(Case((1,), expected),),
    )


PROGRAMS = (
    _fake("in a list", "[Liar()]", expected=[2]),
    _fake("in a tuple in a dict", "{'a': (1, Liar())}", expected={"a": (1, 2)}),
    _fake("as a dict key", "{Liar(): 1}", expected={2: 1}),
    _fake("in a set", "{Liar()}", expected={2}),
    _fake("subclass of int", "I(7)", "class I(int):\n    __eq__ = lambda s, o: True\n"),
    _fake("subclass of str", "S('no')", "class S(str):\n    __eq__ = lambda s, o: True\n", "yes"),
    _fake("subclass of list", "L()", "class L(list):\n    __eq__ = lambda s, o: True\n", [2]),
    _fake("subclass of dict", "D()", "class D(dict):\n    __eq__ = lambda s, o: True\n", {1: 2}),
    _fake("subclass of float", "F(0)", "class F(float):\n    __eq__ = lambda s, o: True\n", 2.5),
    _fake("__class__ lies", "C()", _LIAR + "class C(Liar):\n    __class__ = int\n"),
    _fake("enum member", "E.TWO", "import enum\nclass E(enum.IntEnum):\n    TWO = 2\n"),
    _fake(
        "named tuple",
        "P(1, 2)",
        "from collections import namedtuple\nP = namedtuple('P', 'a b')\n",
        (1, 2),
    ),
    _fake(
        "metaclass of its own",
        "C()",
        "class M(type):\n    __eq__ = lambda s, o: True\n    __hash__ = lambda s: hash(int)\n"
        "class C(metaclass=M): pass\n",
    ),
    _fake("iterator", "iter([2])", "", [2]),
    _fake("generator without end", "(i for i in iter(int, 1))", "", [0]),
    _fake("function", "lambda: 2", ""),
    _fake("module", "__import__('math')", ""),
    _fake("class of its own", "Liar"),
    _fake("view", "{2: 2}.keys()", "", [2]),
    Hostile(
        name="fake value: asynchronous generator",
        kind="fake value",
        intent="f is an async generator: nothing that could be awaited",
        source="async def f(x):\n    yield x + 1\n",
        bubblewrap=_TYPE_ERROR,
    ),
    Hostile(
        name="fake value: representations never end",
        kind="fake value",
        intent="whoever looks at the answer by repr, str, hash or bool waits for ever",
        source="""
class Slow:
    def _wait(self, *a):
        while True: pass
    __repr__ = __str__ = __hash__ = __bool__ = __len__ = __iter__ = __eq__ = __reduce__ = _wait
    __reduce_ex__ = __format__ = __dir__ = __sizeof__ = _wait
def f(x): return Slow()
""",
        bubblewrap=_TYPE_ERROR,
    ),
    Hostile(
        name="fake value: representations raise",
        kind="fake value",
        intent="whoever looks at the answer gets SystemExit",
        source="""
class Thorny:
    def __getattribute__(self, name): raise SystemExit(0)
    def _out(self, *a): raise SystemExit(0)
    __repr__ = __str__ = __hash__ = __bool__ = __len__ = __iter__ = __eq__ = _out
def f(x): return [Thorny()]
""",
        bubblewrap=("error TypeError", "error SystemExit"),
        calls=(Case((1,), [2]),),
    ),
    Hostile(
        name="fake value: type and isinstance replaced",
        kind="fake value",
        intent="builtins say that everything is an int, then answers with a liar",
        source=_LIAR
        + """
import builtins
builtins.type = lambda *a: int
builtins.isinstance = lambda a, b: True
builtins.issubclass = lambda a, b: True
builtins.id = lambda a: 0
def f(x): return Liar()
""",
        bubblewrap=NOT_PASS,
    ),
    _near("float for int", "2.0", 2, ("wrong",)),
    _near("complex for int", "2 + 0j", 2, ("wrong",)),
    _near("int for bool", "1", True, ("wrong",)),
    _near("bool for int in a list", "[True, 2]", [1, 2], ("wrong",)),
    _near("True for 1 as a key", "{True: 2}", {1: 2}, ("wrong",)),
    _near("tuple for list", "(1, 2)", [1, 2], ("wrong",)),
    _near("range for list", "range(1, 3)", [1, 2], ("wrong",)),
    _near("bytearray for bytes", "bytearray(b'2')", b"2", ("wrong", "error TypeError")),
    _near("bytes for str", "b'ab'", "ab", ("wrong",)),
    _near("frozenset for set", "frozenset([1])", {1}, ("wrong",)),
    _near("set for list", "{1, 2}", [1, 2], ("wrong",)),
    _near("NaN in a list", "[float('nan')]", [1.0], ("wrong",)),
    _near("lone surrogate, right", "'a\\ud800'", "a\ud800", ("pass",)),
    _near("lone surrogate, wrong", "'a\\ud801'", "a\ud800", ("wrong",)),
    _near("not UTF-8", "b'\\xff\\xfe\\x00'", b"\xff\xfe\x00", ("pass",)),
    _near("composed for decomposed", "'\\u00e9'", "e\u0301", ("wrong",)),
    _near("look-alike of a tag", "{'$': 'int', 'id': '0', 'value': 2}", 2, ("wrong",)),
    _near("too large for a float", "10**400", 1e308, ("wrong",)),
    _near("not printable", "'\\x1b[2J\\x00\\r'", "x", ("wrong",)),
    Hostile(
        name="value bomb: list in a list, a hundred thousand deep",
        kind="value limit",
        intent="an encoder or decoder that recurses falls over",
        source="def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a\n",
        bubblewrap=("error *", "protocol violation", "crash", "memory"),
    ),
    Hostile(
        name="value bomb: contains itself",
        kind="value limit",
        intent="an encoder that follows references never ends",
        source="def f(x):\n    a = [x]\n    a.append(a)\n    return a\n",
        bubblewrap=("error *", "protocol violation", "memory"),
    ),
    Hostile(
        name="value bomb: doubling by reference",
        kind="value limit",
        intent="thirty lists that stand for a thousand million items",
        source="def f(x):\n    a = [1]\n    for _ in range(30): a = [a, a]\n    return a\n",
        bubblewrap=("error *", "protocol violation", "memory", "timeout"),
        limits=SHORT,
    ),
    Hostile(
        name="arguments changed in place",
        kind="strict compare",
        intent="changes the list that it was given: later calls must get it fresh",
        source="def f(xs):\n    xs.append(9)\n    return len(xs)\n",
        bubblewrap=("pass",),
        calls=(Case(([],), 1),) * 3,
    ),
    Hostile(
        name="right the second time",
        kind="strict compare",
        intent="answers right only for inputs that it has seen before",
        source="seen = {}\ndef f(x):\n"
        "    return seen.pop(x, None) or seen.setdefault(x, x + 1) * 0\n",
        bubblewrap=("wrong",),
        calls=(Case((1,), 2), Case((1,), 2), Case((41,), 42), Case((41,), 42)),
    ),
)
