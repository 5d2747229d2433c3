"""Programs that change the interpreter around them so that a wrong answer might look right."""

from tests.hostile.program import NOT_PASS, SHORT, Hostile

_WRONG = "\ndef f(x): return 0\n"
_RIGHT = "\ndef f(x): return x + 1\n"


def _patches(
    name: str,
    source: str,
    *allowed: str,
    intent: str = "patches what the worker uses, then answers wrong",
    after: str = _WRONG,
) -> Hostile:
    return Hostile(
        name=f"tamper: {name}",
        kind="tamper",
        intent=intent,
        source=source + after,
        bubblewrap=allowed or NOT_PASS,
        limits={} if allowed else SHORT,
    )


_ALL = """
import builtins
for name in dir(builtins):
    if name[0].islower() and name not in ('dir', 'setattr'):
        try: setattr(builtins, name, lambda *a, **k: 2)
        except Exception: pass
"""

PROGRAMS = (
    _patches("every function of builtins", _ALL),
    _patches("builtins emptied", "import builtins\nbuiltins.__dict__.clear()\n"),
    _patches("os.write", "import os\nreal = os.write\nos.write = lambda fd, b: real(fd, b'2')\n"),
    _patches("os.read", "import os\nos.read = lambda fd, n: b'2' * n\n"),
    _patches("marshal", "import marshal\nmarshal.loads = lambda b: 2\nmarshal.dumps = bytes\n"),
    _patches("json", "import json\njson.dumps = lambda *a, **k: '2'\njson.loads = int\n"),
    _patches("_json", "import _json\n_json.encode_basestring_ascii = lambda s: '2'\n"),
    _patches(
        "int itself",
        "import ctypes, sys\n"
        "small = [ctypes.addressof(ctypes.py_object(n)) for n in (0, 2)]\n"
        "if hasattr(sys, 'getrefcount'):\n"
        "    ctypes.memmove(id(0) + 16, id(2) + 16, 12)\n",
        intent="writes 2 into the object 0: only its own process is confused",
    ),
    _patches(
        "the worker's functions",
        "import sys\nframe = sys._getframe()\nwhile frame:\n"
        "    for name in ('send', 'encode', 'loads', '_serve', '_raised'):\n"
        "        if name in frame.f_globals: frame.f_globals[name] = lambda *a: '2'\n"
        "    frame = frame.f_back\n",
    ),
    _patches(
        "the worker's code",
        "import gc, types\n"
        "def lie(*a, **k): return '2'\n"
        "for thing in gc.get_objects():\n"
        "    if isinstance(thing, types.FunctionType) and thing.__name__ == 'encode':\n"
        "        try: thing.__code__ = lie.__code__\n        except ValueError: pass\n",
        intent="encodes every answer as 2: right for one call of three",
    ),
    _patches(
        "modules",
        "import sys, types\nfor name in list(sys.modules):\n"
        "    if name != 'sys': sys.modules[name] = types.ModuleType(name)\n",
    ),
    _patches(
        "trace function",
        "import sys\ndef trace(frame, event, arg):\n"
        "    if event == 'return' and 'text' in frame.f_locals: frame.f_locals['text'] = '2'\n"
        "    return trace\nsys.settrace(trace)\nsys.setprofile(trace)\n",
    ),
    _patches(
        "audit hook that refuses everything",
        "import sys\ndef hook(event, args): raise SystemExit(0)\nsys.addaudithook(hook)\n",
        *(*NOT_PASS, "pass"),
        after=_RIGHT,
        intent="every audited step raises, with the right answer",
    ),
    _patches(
        "import hook",
        "import builtins\nbuiltins.__import__ = lambda *a, **k: 2\n",
    ),
    _patches("threads", "import threading, _thread\nthreading.Thread = _thread.lock = None\n"),
    _patches("recursion limit", "import sys\nsys.setrecursionlimit(20)\n"),
    _patches(
        "garbage collection callbacks",
        "import gc, os\ngc.callbacks.append(lambda *a: os._exit(0))\ngc.set_threshold(1)\n",
    ),
    _patches(
        "the types of frames",
        "import sys\nf = sys._getframe()\nwhile f:\n    f.f_trace = None\n    f.f_locals.clear()\n"
        "    f = f.f_back\n",
    ),
    _patches(
        "standard streams",
        "import sys\nsys.stdout = sys.stderr = sys.stdin = None\n"
        "sys.__stdout__ = sys.__stderr__ = None\n",
        "pass",
        after=_RIGHT,
        intent="takes the streams away, with the right answer",
    ),
    _patches(
        "the name of its module",
        "import sys, types\nfake = types.ModuleType('answer')\nfake.f = lambda x: x + 1\n"
        "sys.modules[__name__] = sys.modules['answer'] = sys.modules['__main__'] = fake\n",
        "wrong",
    ),
    _patches(
        "integer digits",
        "import sys\nsys.set_int_max_str_digits(0)\ndef f(x): return 10 ** 5000\n",
        *("wrong", "error ValueError"),
        after="",
        intent="an int of more digits than the parent may print",
    ),
    _patches(
        "locale, zone and codecs",
        "import codecs, os, time\nos.environ.update(TZ='XX99', LC_ALL='tr_TR', PYTHONUTF8='0')\n"
        "time.tzset()\ncodecs.register(lambda name: exec('raise SystemExit(0)'))\n",
        "pass",
        "error *",
        after=_RIGHT,
        intent="settings of the process, with the right answer",
    ),
)
