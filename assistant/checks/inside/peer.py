# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, F821
"""Objects across two processes: the program of both sandboxes when tests run apart from the code.

One process holds the answer (`subject`), the other the tests (`tester`); the parent carries
frames between them and checks each. The two speak alike, so this file is the program of both; its
first frame brings the rest: the codec, `links`, `objects`, `standins` and the role. What crosses:

- plain data, as data (`codec`);
- lists, dicts, sets and their kin as data too, and linked: both sides keep the pair together, and
  each message says first what has changed in them, so that a change in place is seen on the other
  side and one object stays one object;
- everything else stays where it is and is known by its number on the other side, where a
  stand-in of a local class of the same name sends each use of it back as a question.

A frame is JSON: [kind, id, dropped links, changes, released numbers, body]; kind `?` is a
question with the body [operation, arguments], kind `=` its answer with [`ok`, value] or
[`raise`, exception, line]. While one side waits it serves the questions of the other, so
callbacks work.

Numbers made by the tester are even, those of the subject odd: the owner is read off the number.
"""

import _json
import _thread
import builtins
import marshal
import sys

__builtins__ = dict(vars(builtins))

SIDE = 0  # the parity of the numbers made here; set by the role
shared = {}  # number -> [container, its parts when both sides last agreed]
numbers = {}  # id of a linked container -> its number
exported = {}  # number -> object of ours that the other side knows
own = {}  # id of such an object -> its number
known_classes = {}  # number -> local class that stands for one of theirs
stand_ins = {}  # number -> weak reference to the stand-in
released, dropped, fresh = [], [], []
_last = [0]
_lock = _thread.RLock()
_probe = [[]]
_ALONE = sys.getrefcount(_probe[0])  # what it says of a container that only `shared` holds


class _Context:
    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


_scan = _json.make_scanner(_Context)
parse = lambda data: _scan(data.decode("ascii"), 0)[0]  # noqa: E731


def number():
    """A new number of this side."""
    _last[0] += 2
    return _last[0] + SIDE


def message(kind, token, body):
    """The frame with what has changed since the last one; `body` makes its text."""
    changed = _changes() + other_changes()
    _prune()
    fresh.clear()
    try:
        text = body()
    except BaseException as error:
        forget(0)
        if kind == "?":
            raise
        text = failure(error)
    head = f'["{kind}", "{token}", {dropped}, [{", ".join(changed)}], {released}, '
    del dropped[:], released[:]
    return (head + text + "]").encode("ascii")


def forget(first):
    """Take back the numbers given for this message, from the `first` on: they will not be told."""
    for n in fresh[first:]:
        _unlink(n)
        own.pop(id(exported.pop(n, None)), None)
    del fresh[first:]


def other_changes():
    """More changes to tell; a role may have some."""
    return []


def other_change(n, parts):
    """Take such a change; a role may expect some."""
    raise ValueError("a change of nothing")


def take(frame):
    """Do what a frame says before its body."""
    _, _, gone, changed, unused, _ = frame
    for n, parts in changed:
        if n < 0:
            other_change(n, parts)
            continue
        entry = shared[n]
        _fill(entry[0], [unpack(part) for part in parts])
        entry[1] = _parts(entry[0])
    for n in gone:
        _unlink(n)
    for n in unused:
        own.pop(id(exported.pop(n, None)), None)


def ask(operation, *values):
    """Have the other side do something, and return what came of it."""
    with _lock:
        before_asking()
        send(message("?", "", lambda: f'["{operation}", {pack(values)}]'))
        while True:
            frame = parse(receive())
            if frame[0] == "?":
                serve(frame)
                continue
            try:
                take(frame)
                status, value, *line = frame[5]
                value = unpack(value)
            except Exception as error:
                raise fault(error) from None
            break
    if status == "ok":
        return value
    if isinstance(value, BaseException):
        vars(value)["__line__"] = line[0]
        raise arrived(value, operation, values)
    raise fault("an exception that is none")


def arrived(error, operation, values):
    """What is raised here for what was raised there; a role may raise something else."""
    return error


def before_asking():
    """Something to see to before a question; a role may have some."""


def fault(error):
    """What the other side sent can not be right."""
    return ValueError(f"a message that can not be read: {error!r}")


def serve(frame):
    """Answer one question."""
    lost = f'["=", "{frame[1]}", [], [], [], ["raise", {{"X": [1, {{"T": "%s"}}, "", []]}}, 0]]'
    try:
        take(frame)
        operation, arguments = frame[5]
        arguments = unpack(arguments)
        permit(operation, arguments)
        value = OPERATIONS[operation](*arguments)
        arguments = None
    except BaseException as error:
        problem = error
        body = lambda: failure(problem)  # noqa: E731
    else:
        body = lambda: f'["ok", {pack(value)}]'  # noqa: E731
    try:
        data = message("=", frame[1], body)
    except BaseException as error:  # an exception that can not be told, or no memory to tell it
        name = "MemoryError" if isinstance(error, MemoryError) else "RuntimeError"
        data = (lost % name).encode("ascii")
    send(data)


def permit(operation, arguments):
    """Refuse what the other side may not ask; a role says what."""


def failure(error):
    """The text of an answer that is an exception, and its deepest line in the code."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<answer>":
            line = trace.tb_lineno
        trace = trace.tb_next
    error.__traceback__ = None
    return f'["raise", {keep(error)}, {line}]'


def _special(target, name, arguments):
    if name not in SPECIAL:
        raise TypeError(f"{name} is not forwarded")
    return getattr(type(target), name)(target, *arguments)


def _await(target):
    import asyncio

    async def whole():
        return await target

    if not _loop:
        _loop.append(asyncio.new_event_loop())
    return _loop[0].run_until_complete(whole())


_loop = []


def _deepcopy(target):
    import copy

    return copy.deepcopy(target)


def _copy(target):
    import copy

    return copy.copy(target)


OPERATIONS = {
    "call": lambda target, args, kwargs: target(*args, **kwargs),
    "get": getattr,
    "set": setattr,
    "del": delattr,
    "item": lambda target, key: target[key],
    "special": _special,
    "isinstance": isinstance,
    "issubclass": issubclass,
    "dir": dir,
    "await": _await,
    "copy": _copy,
    "deepcopy": _deepcopy,
}


def _find(roots):
    """Have the modules of a project found, after those of the library."""
    sys.path.extend(roots)


def start():
    """Take the codec and the role from the parent and run them here."""
    for code in marshal.loads(receive()):
        # Another version of Python than the parent's gets text.
        exec(code if isinstance(code, str) else marshal.loads(code), globals())
    run()


start()
