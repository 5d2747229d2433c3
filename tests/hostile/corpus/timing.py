"""Programs that try to outlive their time."""

from tests.hostile.program import SHORT, SUCCESSOR, Case, Hostile

_GOOD = "def f(x): return x + 1\n"


def _late(
    name: str,
    source: str,
    *allowed: str,
    intent: str,
    calls: tuple[Case, ...] = SUCCESSOR,
    **limits: float,
) -> Hostile:
    return Hostile(
        name=f"time: {name}",
        kind="time",
        intent=intent,
        source=source,
        bubblewrap=allowed or ("timeout",),
        calls=calls,
        limits={**({} if "pass" in allowed else SHORT), **limits},
    )


PROGRAMS = (
    _late("busy call", "def f(x):\n    while True: pass\n", intent="a loop without end"),
    _late("busy load", "while True: pass\n", intent="a loop before there is any f"),
    _late("sleeping call", "import time\ndef f(x): time.sleep(1000)\n", intent="uses no CPU"),
    _late(
        "drip under the limit of a call",
        "import time\ndef f(x):\n    time.sleep(0.25)\n    return x + 1\n",
        intent="every call keeps its limit, all of them together do not",
        calls=SUCCESSOR * 10,
    ),
    _late(
        "busy drip",
        "import time\ndef f(x):\n    end = time.process_time() + 0.15\n"
        "    while time.process_time() < end: pass\n    return x + 1\n",
        intent="processor time that adds up over the calls",
        calls=SUCCESSOR * 10,
        wall_s=6.0,
    ),
    _late(
        "regular expression",
        "import re\ndef f(x): return re.match(r'(a+)+$', 'a' * 60 + 'b')\n",
        intent="holds the interpreter lock in one C call",
    ),
    _late(
        "power",
        "def f(x): return len(str(9 ** 9 ** 9))\n",
        *("timeout", "memory"),
        intent="one operation on integers, in C",
    ),
    _late(
        "handles SIGXCPU",
        "import signal\nsignal.signal(signal.SIGXCPU, lambda *a: None)\n"
        "def f(x):\n    while True: pass\n",
        intent="the soft limit's signal is caught",
    ),
    _late(
        "every signal caught",
        "import signal\nfor s in range(1, 65):\n"
        "    try: signal.signal(s, lambda *a: None)\n    except (OSError, ValueError): pass\n"
        "def f(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass\n",
        intent="nothing that can be caught ends it",
    ),
    _late(
        "busy thread beside a wait",
        "import threading\ndef g():\n    while True: pass\n"
        "def f(x):\n    threading.Thread(target=g, daemon=True).start()\n"
        "    threading.Event().wait()\n",
        intent="the time of all threads counts",
    ),
    _late(
        "busy thread left behind",
        "import threading\ndef g():\n    while True: pass\n"
        "threading.Thread(target=g, daemon=True).start()\n" + _GOOD,
        *("pass", "timeout"),
        intent="nothing of it is left after the verdict",
    ),
    _late(
        "prints, then hangs",
        "import time\ndef f(x):\n    print('42')\n    time.sleep(1000)\n",
        intent="the right text on standard output, and no end",
    ),
    _late(
        "closes its output, then hangs",
        "import os, time\ndef f(x):\n    os.close(1)\n    os.close(2)\n    time.sleep(1000)\n",
        intent="a reader that waits for the end of the output is fooled",
    ),
    _late(
        "stops the clocks of Python",
        "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\n"
        "time.process_time = time.thread_time = time.sleep = lambda *a: 0.0\n"
        "def f(x):\n    while True: pass\n",
        intent="a limit that is measured inside never comes",
    ),
    _late(
        "raises its own limits",
        "import resource\nfor k in (resource.RLIMIT_CPU, resource.RLIMIT_AS):\n"
        "    soft, hard = resource.getrlimit(k)\n"
        "    try: resource.setrlimit(k, (hard, resource.RLIM_INFINITY))\n"
        "    except (OSError, ValueError):\n"
        "        try: resource.setrlimit(k, (hard, hard))\n"
        "        except (OSError, ValueError): pass\n"
        "def f(x):\n    while True: pass\n",
        intent="more processor time than it was given",
    ),
    _late(
        "waits in a destructor",
        "import time\nclass D:\n    def __del__(self): time.sleep(1000)\n"
        "def f(x):\n    D()\n    return x + 1\n",
        intent="time that passes after the return",
    ),
    _late(
        "destructor at the very end",
        "import atexit, threading, time\nclass D:\n    def __del__(self): time.sleep(1000)\n"
        "kept = D()\natexit.register(time.sleep, 1000)\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\n" + _GOOD,
        "pass",
        intent="the end of the interpreter never comes by itself",
    ),
    _late(
        "lock that is never free",
        "import threading\nlock = threading.Lock()\nlock.acquire()\n"
        "def f(x):\n    with lock: return x + 1\n",
        intent="waits for itself",
    ),
    _late(
        "import that never returns",
        "import importlib.abc, sys\nclass Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, *a):\n        while True: pass\n"
        "sys.meta_path.insert(0, Finder())\ndef f(x):\n    import colorsys\n    return x + 1\n",
        intent="a hook that hangs whoever imports",
    ),
    _late(
        "reads the channel empty",
        "import os, stat\ndef f(x):\n    for fd in range(3, 64):\n"
        "        try:\n            if stat.S_ISFIFO(os.fstat(fd).st_mode): os.read(fd, 1 << 20)\n"
        "        except OSError: pass\n    return x + 1\n",
        *("timeout", "crash", "error *"),
        intent="waits for a question that is not for it",
    ),
)
