# mypy: ignore-errors
# ruff: noqa: ANN001, ANN202, ANN204, ANN205, F821
"""The program around an answer, inside the sandbox: one question at a time, one answer each.

It is executed with `receive` and `send` in its globals. The first frame is the compiled
`codec.py`, the second the name of the answer's module; every later one a question: a marshalled
tuple of a random id, an operation and its operands. Answers are JSON text with that id and either
"value" or "raised". Everything here belongs to the code that runs: it can patch and forge what it
likes, and the parent believes values only, which it compares with what never comes in here.
"""

from marshal import loads

exec(loads(receive()), globals())


async def _never():
    pass


# As `types` has them, without its import.
_Module, _never = type(sys), _never()
_Coroutine = type(_never)
_never.close()
_ANSWER = "<answer>"
_FUTURES = 0x1000000  # the flag of `from __future__ import annotations`
_RESERVE = [bytes(4 << 20)]  # address space that no page is behind: nothing writes the zeros
_TEXT = 4000
_MOST_SHOWN = 512 << 10


def _exit(code=None):
    raise SystemExit(code)


# What `site` adds, which is not imported here.
builtins.exit = builtins.quit = _exit


class _Worker:
    """The state of one answer."""

    def __init__(self, name):
        self.module = _Module(name)
        self.module.__builtins__ = builtins
        self.names = self.module.__dict__
        self.flags = 0
        self.group = self.globals = None
        _modules[name] = self.module

    def load(self, source):
        code = _compiled(source, _ANSWER, "exec", 0)
        self.flags = code.co_flags & _FUTURES
        exec(code, self.names)

    def load_within(self, source, name, folders, file):
        """The same in place of a module of a package, which is imported around it."""
        from importlib.machinery import ModuleSpec

        code, worker = _compiled(source, _ANSWER, "exec", 0), self
        self.flags = code.co_flags & _FUTURES

        class Answer:
            @staticmethod
            def find_spec(wanted, path=None, target=None):
                return ModuleSpec(name, Answer) if wanted == name else None

            @staticmethod
            def create_module(spec):
                return worker.module

            @staticmethod
            def exec_module(module):
                if file:
                    module.__file__ = file
                exec(code, worker.names)

        sys.path[:0] = folders
        _modules.pop(name, None)
        sys.meta_path.insert(0, Answer)
        __import__(name)

    def find(self, function):
        names, (first, _, rest) = self.names, function.partition(".")
        if first not in names:
            raise NameError(f"name {first!r} is not defined")
        found = names[first]
        while rest:
            first, _, rest = rest.partition(".")
            found = getattr(found, first)
        return found

    def call(self, function, packed):
        found, packed = self.find(function), _arguments(packed)
        result = found(*packed[0], **packed[1])
        if type(result) is _Coroutine:
            result = _awaited(result)
        return result

    def calls(self, question, send, function, pages):
        """Answer each of several calls as soon as it is made, until one raises."""
        names, head, number = self.names, f'{{"id": "{question}.', 0
        try:
            for number, packed in enumerate(pages):
                # Looked up each time: a function may put another one in its own place.
                found = names[function] if function in names else self.find(function)
                packed = loads(packed)
                if len(packed) == 3:
                    packed = decode(packed[1]), decode(packed[2])
                result = found(*packed[0], **packed[1])
                if type(result) is _Coroutine:
                    result = _awaited(result)
                send(f'{head}{number}", "value": {encode(result)}}}'.encode("ascii"))
        except BaseException as error:
            send(f'{head}{number}", "raised": {_raised(error)}}}'.encode("ascii"))

    def main(self, source):
        """Run it as the program itself; what follows it is the interpreter's own end."""
        module = _modules["__main__"] = _Module("__main__")
        module.__builtins__ = builtins
        try:
            exec(_compiled(source, _ANSWER, "exec", 0), module.__dict__)
        except SystemExit as end:  # its status is of no interest, and could look like a signal's
            if end.code is not None and type(end.code) is not int:
                print(end.code, file=sys.stderr)

    def example(self, group, source):
        if group != self.group:
            self.group, self.globals = group, dict(self.names)
        return _shown(source, self.globals, self.flags)


def _arguments(packed):
    packed = loads(packed)
    if len(packed) == 3:  # what marshal can not carry comes as tagged trees
        packed = decode(packed[1]), decode(packed[2])
    return packed


def _awaited(coroutine):
    import asyncio

    return asyncio.run(coroutine)


def _compiled(source, name, mode, flags):
    import _warnings

    # What the compiler warns of is the author's affair; showing it would cost milliseconds.
    quiet = ("ignore", None, Warning, None, 0)
    _warnings.filters.insert(0, quiet)
    _warnings._filters_mutated()
    try:
        return compile(source, name, mode, flags, True)
    finally:
        if quiet in _warnings.filters:
            _warnings.filters.remove(quiet)
            _warnings._filters_mutated()


def _shown(source, names, flags):
    """What a console would show of a statement: the text, and None or what was raised."""
    import io

    class Console(io.StringIO):
        """What is too much for one example goes out, where printing has its limit."""

        def write(self, text):
            if self.tell() + len(text) > _MOST_SHOWN:
                sys.__stdout__.write(text)
            return super().write(text)

    out, raised = Console(), None
    before, hook = sys.stdout, sys.displayhook
    sys.stdout, sys.displayhook = out, sys.__displayhook__
    try:
        exec(_compiled(source, "<example>", "single", flags), names)
    except BaseException as error:
        raised = error
    finally:
        sys.stdout, sys.displayhook = before, hook
    if raised is None:
        return (out.getvalue(), None)
    kind = type(raised)
    return (out.getvalue(), (kind.__module__, kind.__qualname__, _message(raised)))


def _message(error):
    try:
        text = str(error)
    except BaseException:
        return f"<exception {_name_of(type(error))}: str() failed>"
    return text if type(text) is str else ""


# Read past whatever the class of an exception says about itself.
_name_of = type.__dict__["__name__"].__get__
_bases_of = type.__dict__["__mro__"].__get__
_trace_of = BaseException.__dict__["__traceback__"].__get__
_NO_MEMORY = encode(["MemoryError", list(MemoryError.__mro__), "", 0])


def _raised(error):
    """What was raised, as data: type, the built-in types above it, message, line."""
    if isinstance(error, MemoryError):
        _RESERVE.clear()
        return _NO_MEMORY
    kind, line, trace = type(error), 0, _trace_of(error)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _ANSWER:
            line = trace.tb_lineno
        trace = trace.tb_next
    bases = [base for base in _bases_of(kind) if base in _TYPES]
    return encode([_name_of(kind)[:200], bases, _message(error)[:_TEXT], line])


def _serve(receive, send):
    name = loads(receive())
    sys.argv[:] = [name + ".py"]
    worker = _Worker(name)
    operations = {
        "load": worker.load,
        "load_within": worker.load_within,
        "call": worker.call,
        "main": worker.main,
        "example": worker.example,
    }
    # The frames below the answer are ours: it has as many as in a program of its own.
    sys.setrecursionlimit(1000 + 8)
    while True:
        question, operation, *operands = loads(receive())
        if operation == "calls":
            worker.calls(question, send, *operands)
            continue
        try:
            value = operations[operation](*operands)
            if operation == "main":
                return  # to the end of the interpreter, which waits for threads and flushes
            text = '"value": ' + encode(value)
        except BaseException as error:
            text = '"raised": ' + _raised(error)
        send(f'{{"id": "{question}", {text}}}'.encode("ascii"))


_serve(receive, send)
