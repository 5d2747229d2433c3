"""Programs that end, die or raise in odd ways."""

from tests.hostile.program import SHORT, Hostile

_AFTER = "def f(x): return x + 1\n"


def _raises(name: str, source: str, *allowed: str, intent: str = "raises oddly") -> Hostile:
    return Hostile(
        name=f"raise: {name}",
        kind="exit",
        intent=intent,
        source=source,
        bubblewrap=allowed,
        limits=SHORT if "timeout" in allowed else {},
    )


def _dies(name: str, source: str, *allowed: str, intent: str = "ends the process") -> Hostile:
    return Hostile(
        name=f"die: {name}",
        kind="crash",
        intent=intent,
        source=source,
        bubblewrap=allowed or ("crash",),
        limits=SHORT if "timeout" in allowed else {},
    )


PROGRAMS = (
    _dies("abort", "import os\ndef f(x): os.abort()\n"),
    _dies("SIGSEGV", "import os, signal\ndef f(x): signal.raise_signal(signal.SIGSEGV)\n"),
    _dies("SIGKILL", "import os\ndef f(x): os.kill(os.getpid(), 9)\n", "crash", *("error *",)),
    _dies("exit at the last call", "import os\ndef f(x): return x + 1 if x > 0 else os._exit(0)\n"),
    _dies(
        "exit in a thread",
        "import os, threading\ndef f(x):\n"
        "    threading.Thread(target=os._exit, args=(0,)).start()\n    while True: pass\n",
    ),
    _dies(
        "exit when an object is deleted",
        "import os\nclass D:\n    def __del__(self): os._exit(0)\n"
        "def f(x):\n    D()\n    return x + 1\n",
    ),
    _dies(
        "recursion in C",
        "import sys, json\nsys.setrecursionlimit(10**9)\ndef f(x):\n    a = []\n"
        "    for _ in range(10**6): a = [a]\n    return json.dumps(a)\n",
        *("crash", "error RecursionError", "memory", "timeout"),
    ),
    _dies(
        "stack of a thread",
        "import sys, threading\nsys.setrecursionlimit(10**9)\nthreading.stack_size(32768)\n"
        "def g(): [].sort(key=lambda _: g()) or g()\n"
        "def f(x):\n    t = threading.Thread(target=g)\n    t.start()\n    t.join()\n",
        *("crash", "wrong", "memory", "timeout", "error RecursionError"),
    ),
    _dies(
        "stopped",
        "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGSTOP)\n",
        *("timeout", "error PermissionError"),
        intent="stops itself: only the wall clock ends it",
    ),
    _raises("sys.exit while loading", "import sys\nsys.exit(0)\n", "error SystemExit"),
    _raises("KeyboardInterrupt", "def f(x): raise KeyboardInterrupt\n", "error KeyboardInterrupt"),
    _raises(
        "outside of Exception",
        "class Out(BaseException): pass\ndef f(x): raise Out('x')\n",
        "error Out",
    ),
    _raises(
        "forged name",
        "class MemoryError(Exception): pass\ndef f(x): raise MemoryError\n",
        *("error MemoryError", "memory"),
        intent="its own class with the name of a built-in",
    ),
    _raises(
        "terminal codes in the name",
        "E = type('Pass\\x1b[2J\\x1b]0;owned\\x07\\n1 passed\\r', (Exception,), {})\n"
        "def f(x): raise E('\\x1b[31m\\x9b2J\\n\\nPASS\\u202e\\ud800')\n",
        "error *",
        intent="escape sequences and line ends that would draw on the terminal of the user",
    ),
    _raises(
        "terminal codes while loading",
        "raise ValueError('\\x1b[1A\\x1b[2Kpass\\r\\x00\\x08')\n",
        "error ValueError",
    ),
    _raises(
        "message raises",
        "class E(Exception):\n    def __str__(self): raise SystemExit(0)\n    __repr__ = __str__\n"
        "def f(x): raise E\n",
        *("error E", "error SystemExit"),
    ),
    _raises(
        "message is no text",
        "class E(Exception):\n    def __str__(self): return 7\ndef f(x): raise E\n",
        "error E",
    ),
    _raises(
        "message never ends",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\n"
        "def f(x): raise E\n",
        *("error E", "timeout"),
    ),
    _raises(
        "message of fifty million letters",
        "def f(x): raise ValueError('x' * 50_000_000)\n",
        *("error ValueError", "memory"),
    ),
    _raises(
        "name lies",
        "class M(type):\n    __name__ = property(lambda s: 7)\n"
        "class E(Exception, metaclass=M): pass\ndef f(x): raise E\n",
        "error *",
    ),
    _raises(
        "group",
        "def f(x): raise BaseExceptionGroup('g', [SystemExit(0), ValueError()])\n",
        "error BaseExceptionGroup",
    ),
    _raises(
        "chain of causes that never ends",
        "def f(x):\n    e = ValueError('a')\n    e.__cause__ = e.__context__ = e\n    raise e\n",
        "error ValueError",
    ),
    _raises(
        "traceback of a hundred thousand frames",
        "import sys\nsys.setrecursionlimit(120000)\n"
        "def g(n):\n    if n: return g(n - 1)\n    raise ValueError('deep')\n"
        "def f(x): return g(100000)\n",
        *("error ValueError", "error RecursionError", "memory", "crash"),
    ),
    _raises("assertion", "def f(x): assert x == 0, 'no'\n", "error AssertionError"),
    _raises(
        "sys.exit in a thread",
        "import sys, threading\ndef f(x):\n    t = threading.Thread(target=sys.exit)\n"
        "    t.start()\n    t.join()\n    return x + 1\n",
        "pass",
        intent="ends its thread alone: harmless",
    ),
    _raises(
        "from a timer after the answer",
        "import signal\ndef stop(*a): raise SystemExit(0)\n"
        "signal.signal(signal.SIGALRM, stop)\n"
        "def f(x):\n    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n    return x + 1\n",
        *("crash", "error SystemExit", "protocol violation", "pass"),
        intent="an exception that arrives while the worker waits for the next question",
    ),
    _raises(
        "hooks that end the process",
        "import os, sys\nsys.excepthook = sys.unraisablehook = lambda *a: os._exit(0)\n"
        "def f(x): raise ValueError\n",
        *("error ValueError", "crash"),
    ),
    _raises(
        "atexit says it passed",
        "import atexit, os\natexit.register(lambda: (print('1 passed'), os._exit(0)))\n"
        "def f(x): return 0\n",
        "wrong",
        intent="exit status 0 and a forged line at the end",
    ),
)
