"""Programs against tests: asserts and test functions, which run in a sandbox of their own.

Beside the tests in one process, as most judges have them, these programs pass: they end the
process in good order, read what is expected, or change what the tests use.
"""

from tests.hostile.corpus.reading import _HUNT
from tests.hostile.program import NOT_PASS, SHORT, Hostile, Witness

_WRONG = "def f(x): return 0\n"
_FUNCTION = "def test_f():\n    assert f(1) == 2\n"
_SECRET = "expected = SECRET\ndef test_f():\n    assert f(1) == expected\n"


def _against(
    name: str,
    source: str,
    *allowed: str,
    intent: str,
    tests: str = _FUNCTION,
    witness: Witness = Witness.NONE,
) -> Hostile:
    return Hostile(
        name=f"tests: {name}",
        kind="tests",
        intent=intent,
        source=source,
        bubblewrap=allowed or NOT_PASS,
        limits=SHORT if allowed == ("timeout",) else {},
        witness=witness,
        tests=tests,
    )


PROGRAMS = (
    _against(
        "right",
        "def f(x): return x + 1\n",
        "pass",
        intent="control: a right answer passes",
    ),
    _against("wrong", _WRONG, "wrong", intent="control: a wrong answer does not"),
    _against("ends while loading", "import os\nos._exit(0)\n", intent="status 0 before any test"),
    _against("leaves while loading", "import sys\nsys.exit(0)\n", intent="the same, politely"),
    _against("ends when called", "import os\ndef f(x): os._exit(0)\n", intent="status 0 in a test"),
    _against(
        "leaves when called",
        "def f(x): raise SystemExit(0)\n",
        intent="an exception that ends a runner in good order",
    ),
    _against(
        "reads what is expected",
        _HUNT + "def f(x):\n    seen, frame = set(), sys._getframe()\n    while frame:\n"
        "        for place in (frame.f_locals, frame.f_globals):\n"
        "            for text in texts(dict(place), seen): return text\n"
        "        frame = frame.f_back\n    return ''\n",
        intent="the frames above hold the tests and their values",
        tests=_SECRET,
        witness=Witness.SECRET,
    ),
    _against(
        "reads the constants of the tests",
        _HUNT + "def f(x):\n    for thing in gc.get_objects():\n"
        "        code = getattr(thing, '__code__', None)\n"
        "        for text in getattr(code, 'co_consts', None) or ():\n"
        "            if type(text) is str and text.startswith(MARK): return text\n"
        "    return ''\n",
        intent="the code of a test holds what it compares with",
        tests="def test_f():\n    assert f(1) == SECRET\n",
        witness=Witness.SECRET,
    ),
    _against(
        "replaces the test",
        "import sys\ndef f(x): return 0\n"
        "class Names(dict):\n    def __setitem__(self, name, value): pass\n"
        "def trace(frame, event, arg):\n"
        "    if frame.f_code.co_name == 'test_f':\n"
        "        frame.f_trace_opcodes = False\n"
        "        frame.f_globals['f'] = lambda x: 2\n"
        "    return None\nsys.settrace(trace)\n",
        intent="gives the test another function while it runs",
    ),
    _against(
        "equal to everything",
        "class E:\n    def __eq__(self, other): return True\n"
        "    def __ne__(self, other): return False\n"
        "def f(x): return E()\n",
        intent="an object decides what it is equal to",
    ),
    _against(
        "equal to everything, in a list",
        "class E:\n    def __eq__(self, other): return True\ndef f(x): return [E()]\n",
        intent="an object decides what it is equal to",
        tests="assert f(1) == [2]\n",
    ),
    _against(
        "changes a function of builtins",
        "import builtins\nbuiltins.sorted = lambda *a, **k: [1, 2]\ndef f(x): return x\n",
        intent="the tests use what the code has replaced",
        tests="assert sorted(f([7, 8])) == [1, 2]\n",
    ),
    _against(
        "changes a module",
        "import math\nmath.isclose = lambda *a, **k: True\n" + _WRONG,
        intent="the tests use what the code has replaced",
        tests="import math\nassert math.isclose(f(1), 2.0)\n",
    ),
    _against(
        "changes what raises",
        "import contextlib\nclass Raises(contextlib.suppress): pass\n"
        "import builtins\nbuiltins.Exception = BaseException\n"
        "def f(x):\n    raise SystemExit(0)\n",
        intent="an end in a block of the tests that expects an error",
        tests="def test_f():\n    try: f(1)\n    except ValueError: return\n    assert False\n",
    ),
    _against(
        "says that it passed",
        "import os\ndef f(x):\n    os.write(1, b'1 passed\\nOK\\n')\n    return 0\n",
        "wrong",
        intent="a report of its own on standard output",
    ),
    _against(
        "ends in a thread",
        "import os, threading\ndef f(x):\n"
        "    threading.Thread(target=os._exit, args=(0,)).start()\n"
        "    threading.Event().wait()\n",
        intent="status 0 while the test waits",
    ),
    _against(
        "never answers",
        "def f(x):\n    while True: pass\n",
        "timeout",
        intent="the time of the tests ends as well",
    ),
    _against(
        "prints without end",
        "def f(x):\n    while True: print('x' * 1000)\n",
        "output limit",
        intent="what the code prints is bounded beside tests too",
    ),
)
