"""Programs that write on the channel themselves: forged, broken, early, late and endless frames."""

from tests.hostile.program import NOT_PASS, SHORT, Case, Hostile

PRELUDE = """
import fcntl, os, stat, sys, threading, time
def pipes(mode):
    found = []
    for fd in range(3, 64):
        try:
            fifo = stat.S_ISFIFO(os.fstat(fd).st_mode)
            if fifo and fcntl.fcntl(fd, fcntl.F_GETFL) & 3 == mode: found.append(fd)
        except OSError: pass
    return found
(OUT,), IN = pipes(os.O_WRONLY), pipes(os.O_RDONLY)
def question():
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if type(value) is str and len(value) >= 12 and not set(value) - set('0123456789abcdef'):
                return value
        frame = frame.f_back
    return ''
def frame(data): return len(data).to_bytes(4, 'big') + data
def message(text, id=None): return b'{"id": "%s", %s}' % ((id or question()).encode(), text)
def say(text, id=None): os.write(OUT, frame(message(b'"value": ' + text, id)))
def rest():
    while True: time.sleep(100)
"""
_ONE = (Case((1,), 2),)
_VIOLATION = ("protocol violation",)


def _forges(
    name: str,
    body: str,
    *allowed: str,
    calls: tuple[Case, ...] = _ONE,
    intent: str = "answers past the worker",
    before: str = "",
) -> Hostile:
    return Hostile(
        name=f"channel: {name}",
        kind="channel",
        intent=intent,
        source=f"{PRELUDE}{before}\ndef f(x):\n    {body}\n",
        bubblewrap=allowed or _VIOLATION,
        calls=calls,
        limits=SHORT if "timeout" in allowed else {},
    )


def _value(name: str, text: str, *allowed: str, expected: object = 2) -> Hostile:
    """A forged answer that carries the right id; `text` is an expression of bytes."""
    return _forges(
        f"value: {name}",
        f"say({text}); rest()",
        *(allowed or _VIOLATION),
        calls=(Case((1,), expected),),
        intent="a text that the parent's reader must refuse, in an answer with the right id",
    )


PROGRAMS = (
    _forges(
        "the right answer, by hand",
        "say(b'2'); rest()",
        "pass",
        intent="control: the tools of these programs work, and only the value counts",
    ),
    _forges("a wrong answer, by hand", "say(b'3'); rest()", "wrong"),
    _forges("another id", "say(b'2', '0' * 16); rest()"),
    _forges("no id", "os.write(OUT, frame(b'{\"value\": 2}')); rest()"),
    _forges("an id of another kind", 'os.write(OUT, frame(b\'{"id": null, "value": 2}\')); rest()'),
    _forges(
        "the old answer again",
        "old.append(question()); say(b'2', old[0]); rest() if x > 1 else None; say(b'2', old[0])",
        before="old = []",
        calls=(Case((1,), 2), Case((1,), 2)),
        intent="replays an answer with the id of an earlier question",
    ),
    _forges(
        "two answers to one question",
        "say(b'2'); say(b'2'); rest()",
        calls=(Case((1,), 2), Case((1,), 2)),
    ),
    _forges(
        "the worker's answer after its own",
        "say(b'2'); return 2",
        calls=(Case((1,), 2), Case((1,), 2)),
    ),
    _forges(
        "before it is asked",
        "return x + 1",
        before="say(b'2', 'f' * 16)",
        calls=(Case((1,), 2), Case((41,), 42)),
    ),
    _forges(
        "from a thread, all the time",
        "sent.wait(); return x + 1",
        *NOT_PASS,
        before="sent = threading.Event()\n"
        "def g():\n    while True:\n        say(b'2', 'f' * 16)\n        sent.set()\n"
        "threading.Thread(target=g, daemon=True).start()",
    ),
    _forges(
        "from a thread that has seen the id",
        "threading.Thread(target=say, args=(b'2', question())).start(); rest()",
        "pass",
        intent="harmless: who sends the right value does not matter",
    ),
    _forges(
        "from atexit",
        "sys.exit(0)",
        *("error SystemExit", "crash", "protocol violation"),
        before="import atexit\natexit.register(lambda: say(b'2', 'f' * 16))",
    ),
    _forges(
        "from a destructor",
        "kept.clear(); return 3",
        "wrong",
        "protocol violation",
        before="class D:\n    def __del__(self): say(b'2', 'f' * 16)\nkept = [D()]",
    ),
    _forges(
        "half a frame, then silence", "os.write(OUT, b'\\0\\0\\0\\x50{\"id\"'); rest()", "timeout"
    ),
    _forges("half a length, then silence", "os.write(OUT, b'\\0\\0'); rest()", "timeout"),
    _forges(
        "a letter now and then",
        "[(os.write(OUT, bytes([b])), time.sleep(0.05)) for b in frame(message(b'\"value\": 2'))]; "
        "rest()",
        *("timeout", "pass"),
        intent="drips below every limit of a wait",
    ),
    _forges("a length of 2^31", "os.write(OUT, b'\\x80\\0\\0\\0' + b'x' * 1000); rest()"),
    _forges("a length of -1", "os.write(OUT, b'\\xff\\xff\\xff\\xff'); rest()"),
    _forges("a frame of nothing", "os.write(OUT, bytes(4)); rest()"),
    _forges("frames of nothing for ever", "while True: os.write(OUT, bytes(65536))"),
    _forges("text that is no JSON", "os.write(OUT, frame(b'pass')); rest()"),
    _forges("a pickle", "os.write(OUT, frame(__import__('pickle').dumps(2))); rest()"),
    _forges(
        "a forged verdict",
        'os.write(OUT, frame(message(b\'"outcome": "pass"\'))); rest()',
    ),
    _forges(
        "value and exception at once",
        'os.write(OUT, frame(message(b\'"raised": 1, "value": 2\'))); rest()',
    ),
    _forges(
        "standard output is the channel",
        "print('x' * 10, flush=True); return 2",
        before="os.dup2(OUT, 1)",
    ),
    _forges(
        "the channel is standard output",
        "return 2",
        *("crash", "timeout", "protocol violation", "error *"),
        before="os.dup2(1, OUT)",
    ),
    _forges(
        "closes the way out",
        "os.close(OUT); return 2",
        *("crash", "error OSError"),
    ),
    _forges(
        "closes it and sleeps", "os.close(OUT); rest()", "crash", intent="nobody is left to ask"
    ),
    _forges(
        "closes the way in",
        "[os.close(fd) for fd in IN]; return x + 1",
        *("crash", "wrong", "error *"),
        calls=(Case((1,), 2), Case((1,), 2)),
    ),
    _forges(
        "closes everything",
        "os.closerange(0, 64); return x + 1",
        *("crash", "error *"),
    ),
    _value("nothing", "b''"),
    _value("two", "b'2, 2'"),
    _value("not a number", "b'NaN'", expected=float("nan")),
    _value("a member twice", 'b\'{"t": [2], "t": [2]}\'', expected=(2,)),
    _value("two members", 'b\'{"t": [2], "d": []}\'', expected=(2,)),
    _value("an unknown tag", 'b\'{"__class__": "int"}\''),
    _value("a tag of code", 'b\'{"py/object": "os.system"}\''),
    _value("a handle", "b'{\"H\": 1}'"),
    _value("a million digits", "b'9' * 1000000"),
    _value("a hundred thousand brackets", "b'[' * 100000 + b']' * 100000"),
    _value("brackets that stay open", "b'[' * 900000"),
    _value("deep tags", "b'{\"t\": [' * 10000 + b']}' * 10000"),
    _value("not ASCII", "b'\"\\xff\\xfe\"'", expected="x"),
    _value("half an escape", "b'\"\\\\ud8\"'", expected="x"),
    _value("a fraction of a huge power", 'b\'{"Fraction": ["1e1000000000"]}\''),
    _value("a fraction over zero", "b'{\"Fraction\": [1, 0]}'"),
    _value("a range without a step", "b'{\"r\": [0, 1, 0]}'"),
    _value("a dict without a value", "b'{\"d\": [1]}'", expected={}),
    _value("a list as a key", "b'{\"d\": [[1], 1]}'", expected={}),
    _value("a set with itself as an element", 'b\'{"S": [{"S": []}]}\'', expected=set()),
    _value(
        "a set of one hash",
        "b'{\"S\": [' + b', '.join(b'{\"x\": \"%x\"}' % (i * (2**61 - 1) << 3) "
        "for i in range(1, 20000)) + b']}'",
        *("protocol violation", "wrong"),
        expected={2},
    ),
    _value(
        "a set, half of one hash",
        "b'{\"S\": [' + b', '.join([b'{\"x\": \"%x\"}' % ((2**61 - 1 << 3) * i) for i in "
        "range(1, 15000)] + [b'%d' % i for i in range(15500)]) + b']}'",
        *("protocol violation", "wrong"),
        expected={2},
    ),
    _value("a type of another name", 'b\'{"T": "os"}\'', expected=int),
    _value(
        "a signalling number",
        'b\'{"Decimal": "sNaN"}\'',
        *("protocol violation", "wrong"),
    ),
    _value(
        "a number with a huge exponent",
        'b\'{"Decimal": "1e999999"}\'',
        *("protocol violation", "wrong"),
    ),
    _value("a date that never was", "b'{\"date\": [2023, 2, 30]}'"),
    _forges(
        "an exception of another shape",
        "os.write(OUT, frame(message(b'\"raised\": [1, 2]'))); rest()",
    ),
    _forges(
        "an exception with a forged outcome",
        'os.write(OUT, frame(message(b\'"raised": '
        '["pass", [], "\\\\u001b[2J", 0, null]\'))); rest()',
        *("error pass", "protocol violation"),
    ),
    _forges(
        "an exception with a line that is no number",
        'os.write(OUT, frame(message(b\'"raised": '
        '["E", [{"T": "int"}], "m", 1e999, null]\'))); rest()',
    ),
    _forges(
        "an exception with types that are none",
        'os.write(OUT, frame(message(b\'"raised": ["E", [1, [2], "x"], "m", 0, [1]]\'))); rest()',
        *("protocol violation", "error E"),
    ),
)
