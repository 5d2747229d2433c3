# mypy: ignore-errors
# ruff: noqa: ANN001, ANN204, ANN205, ANN201, ANN202, B905, F821
"""The role of the process that holds the answer: load it, then serve questions about it.

It runs in the namespace of `peer`. Everything here belongs to the code that is checked: it can
read and patch all of it, and so lie about its own values, and about nothing else.
"""

SIDE = 1
_MISSING = object()
_wanted, _seen, _scope = [], [], {}


def run():
    """Serve questions until the parent has heard enough."""
    while True:
        serve(parse(receive()))


def _load(source, name, wanted, roots, file):
    """Run the answer as a module and return those of its names that the tests use."""
    global _scope
    _find(roots)
    sys.argv = [name]
    code = compile(source, "<answer>", "exec", dont_inherit=True)
    if "." in name and roots:
        module = _imported(name, code, file)
    else:
        module = sys.modules[name] = type(sys)(name)
        module.__package__ = name.rpartition(".")[0]
        _execute(module, code, file)
    _scope = vars(module)
    _wanted[:] = wanted
    _seen[:] = [_scope.get(each, _MISSING) for each in wanted]
    return [(each, _scope[each]) for each in wanted if each in _scope], module


def _execute(module, code, file):
    if file:
        module.__file__ = file
    # Else it would be given the copy that this program keeps.
    vars(module)["__builtins__"] = builtins
    exec(code, vars(module))


def _imported(name, code, file):
    """The answer in place of a module of the project's package, which is imported around it."""
    from importlib.machinery import ModuleSpec

    class Answer:
        @staticmethod
        def find_spec(wanted, path=None, target=None):
            return ModuleSpec(name, Answer) if wanted == name else None

        @staticmethod
        def create_module(spec):
            return None

        @staticmethod
        def exec_module(module):
            _execute(module, code, file)

    sys.meta_path.insert(0, Answer)
    return __import__(name, fromlist=["_"])


def other_changes():
    """Names of the answer that mean another object now."""
    now = [_scope.get(each, _MISSING) for each in _wanted]
    if all(map(is_, now, _seen)):
        return _printed()
    pairs = [
        (each, value)
        for each, value, before in zip(_wanted, now, _seen)
        if value is not before and value is not _MISSING
    ]
    _seen[:] = now
    return [f"[-1, {pack(pairs)}]", *_printed()]


class _Output:
    """Standard output that also keeps what was printed since the last message, for the tests."""

    def __init__(self, stream):
        self.stream, self.kept = stream, []

    def write(self, text):
        """Print, and remember it unless there is no end to it."""
        if len(self.kept) < 10_000:
            self.kept.append(text[:10_000])
        return self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


_output = sys.stdout = _Output(sys.stdout)


def _printed():
    text = "".join(_output.kept)[:100_000]
    _output.kept.clear()
    return [f"[-2, {encode(text)}]"] if text else []


_originals = {}


def _replace(module, name, value, restored):
    """The tests have replaced something of the library, such as `input`, or put it back."""
    target = __import__(module)
    original = _originals.setdefault((module, name), getattr(target, name))
    setattr(target, name, original if restored else value)


_PLAIN_BASES = (int, float, str, bytes, tuple, list, dict, set, frozenset)


def _plain(value):
    """The value of an instance of a subclass of a data type that kept the type's equality."""
    kind = type(value)
    for base in _PLAIN_BASES:
        if issubclass(kind, base) and kind.__eq__ is base.__eq__:
            return (
                base.__getnewargs__(value)[0] if base in (int, float, str, bytes) else base(value)
            )
    if kind in (type({}.keys()), type({}.items())):
        return set(value)
    raise TypeError(f"{kind.__name__} is no plain data")


OPERATIONS["load"] = _load
OPERATIONS["plain"] = _plain
OPERATIONS["replace"] = _replace


def special_import(tag, inner):
    """A function, class or module of the standard library that the tests gave by its name."""
    if tag != "R":
        raise ValueError(f"an unknown tag {tag}")
    module, name = inner
    found = __import__(module, fromlist=["_"])
    for part in name.split(".") if name else ():
        found = getattr(found, part)
    return found
