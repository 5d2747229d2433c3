# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201, ANN202, F821
"""The role of the process that holds the tests: run them, and report what was reached.

It runs in the namespace of `peer`. Nothing of the answer is executed here; what comes from it is
plain data, checked by the parent, or a stand-in. So what this process reports is true.
"""

SIDE = 0
_setup = {}
_scope = {}
_space = {}
_counted = {"asserts": 0, "functions": [], "skipped": []}
_dumps = _json.make_encoder(
    None, None, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True
)


def run():
    """Run the tests against the answer that the parent says is loaded."""
    _setup.update(marshal.loads(receive()))
    frame = parse(receive())
    try:
        take(frame)
        names, module = unpack(frame[5][1])
    except Exception as error:
        raise fault(error) from None
    try:
        _prepare(names, module)
        _run_tests()
    except BaseException as error:  # SystemExit and KeyboardInterrupt are findings, too
        _finish(end="raised", **_facts(error))
    _finish(end="finished")


def _report(**facts):
    send(('["!", ' + "".join(_dumps(facts, 0)) + "]").encode("ascii"))


def _finish(**facts):
    _report(**facts, **_counted)
    while True:  # the parent ends this process
        receive()


def _prepare(names, module):
    _find(_setup["roots"])
    space = type(sys)(_setup["module"])
    space.__package__ = _setup["module"].rpartition(".")[0]
    vars(space)["__builtins__"] = builtins
    sys.modules[_setup["module"]] = space
    found = dict(names)
    for name in _setup["tested"]:
        vars(space)[f"__assistant_own_{name}__"] = found.get(name, getattr(builtins, name, None))
    # The code says which names these are, so they are believed only as far as they were asked for.
    _scope.update((name, value) for name, value in found.items() if name in _setup["wanted"])
    vars(space).update(_scope)
    for name in _setup["modules"]:
        _make_importable(name, module)
    for code in _setup["imports"]:
        try:
            exec(code, vars(space))
        except Exception:
            continue  # it was optional to the answer, or only exists there
    globals()["_space"] = vars(space)


def _make_importable(name, module):
    """Put the code's stand-in where the tests will import it; its packages may be the project's."""
    sys.modules[name] = module
    if "." not in name:
        return
    package, _, last = name.rpartition(".")
    try:
        found = __import__(package, fromlist=["_"])
    except ImportError:
        found = type(sys)(package)
        found.__path__ = []
        _make_importable(package, found)
    setattr(found, last, module)


_OWN_OUTPUT = sys.stdout


def other_change(n, parts):
    """The answer gave names of its module new meanings, or has printed something."""
    if n == -2:
        if sys.stdout is not _OWN_OUTPUT:  # the tests want to see it
            sys.stdout.write(unpack(parts))
        return
    for name, value in unpack(parts):
        if name not in _setup["wanted"] or name in _setup["fixed"]:
            continue
        if _space.get(name) is _scope.get(name):
            _space[name] = value
        _scope[name] = value


def _run_tests():
    _space["__file__"] = _setup["path"]
    _space["__assistant_held__"] = _held
    _space["__assistant_sides__"] = _sides
    _space["__assistant_value__"] = _value
    _report(at="tests")
    if _setup["version"] == tuple(sys.version_info[:2]):
        exec(marshal.loads(_setup["code"]), _space)
    else:  # the compiled tests are for the parent's version alone
        exec(compile(_setup["source"], _setup["name"], "exec", dont_inherit=True), _space)
        _counted["asserts"] = _setup["asserts"]
    run_pytest() if _setup["pytest"] else run_all()


# What tests replace for the code to see: its input, and the clock.
_WATCHED = (("builtins", "input"), ("sys", "stdin"), ("time", "sleep"), ("time", "time"))
_originals = {at: getattr(__import__(at[0]), at[1]) for at in _WATCHED}
_replaced = dict(_originals)


def before_asking():
    """Replace in the code's process what the tests have replaced in this one."""
    for at in _WATCHED:
        value = getattr(sys.modules[at[0]], at[1])
        if value is not _replaced[at]:
            _replaced[at] = value
            restored = value is _originals[at]
            ask("replace", *at, None if restored else value, restored)


def _held():
    _counted["asserts"] += 1


def _sides(left, right, literal):
    if literal == "left":
        left, right = right, left
    words = ("left side: ", ", right side: ") if not literal else ("got ", ", expected ")
    return words[0] + _short(left) + words[1] + _short(right)


def _value(value):
    return "got " + _short(value)


def _short(value, limit=120):
    try:
        text = repr(value)
    except Exception as error:  # the repr of the code's own classes may do anything
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= limit else text[:limit] + "..."


def _facts(error):
    """What was raised and where: the deepest line of the tests, and that of the answer."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _setup["name"]:
            line = trace.tb_lineno
        trace = trace.tb_next
    about = vars(error)
    return {
        "type": type(error).__name__[:100],
        "message": _shown(error)[:500],
        "tests_line": line,
        "answer_line": about.get("__line__", 0),
        "remote": "__number__" in about,
        "errno": error.errno if isinstance(error, OSError) else None,
    }


def fault(error):
    """A message of the answer's process that can not be read ends the tests at once."""
    _finish(end="fault", message=_shown(error)[:200])


def arrived(error, operation, values):
    """A StopIteration ends a loop of the tests without a word; only an iterator may raise it."""
    if not isinstance(error, (StopIteration, StopAsyncIteration)):
        return error
    # The step of an asynchronous iterator is awaited.
    own_way = values[1:2] == ("__next__",) or operation == "await"
    if own_way or any(one.__name__ in _setup["words"] for one in type(error).__mro__):
        return error
    told = RuntimeError(f"the code raised {type(error).__name__}")
    vars(told).update(vars(error), __message__=str(told))
    return told


def class_known(module, qualname):
    """An exception of the library that the tests name: what is raised there is caught here."""
    root = module.partition(".")[0]
    if root not in sys.stdlib_module_names or root == "unittest":
        return None
    if not {root, qualname} <= _setup["words"]:
        return None
    found = __import__(module, fromlist=["_"])  # the tests import it, too
    known = getattr(found, qualname, None)
    return known if isinstance(known, type) and issubclass(known, Exception) else None


def unsupported(what):
    """The tests do what can not be done across two processes: no verdict on the code."""
    _finish(end="unsupported", message=what)


# What the code may do with objects of the tests that it was given: call what can be called, use
# special methods, read public attributes. Frames and namespaces would lead to expected values.

_INNER = ("gi_", "cr_", "ag_", "tb_", "f_", "co_")


def permit(operation, arguments):
    """Refuse what would lead the code to what the tests know."""
    # Of data the code has its own: a method of a text reads attributes, `str.format`.
    asked = arguments[1] if operation in ("isinstance", "issubclass") else arguments[0]
    if id(asked) not in own:
        raise TypeError(f"{operation} of what is no object of the tests")
    if operation in ("call", "special", "isinstance", "issubclass", "item"):
        return
    name = arguments[1] if len(arguments) > 1 else ""
    if operation in ("set", "del") and name[:1] != "_":
        return
    public = name[:1] != "_" and not name.startswith(_INNER)
    if name in ("format", "format_map"):
        public = False
    if operation != "get" or not (public or name in ("__name__", "__doc__", "__qualname__")):
        raise AttributeError(f"{name or operation} of an object of the tests")


def special_export(value):
    """Functions and classes of the standard library go by name; inner parts stay here."""
    kind = type(value).__name__
    if kind == "traceback":
        return "null"
    if kind in ("frame", "code"):
        raise TypeError(f"a {kind} can not be given to the code")
    if kind == "module":
        return _reference(value.__name__, "", value)
    module = getattr(value, "__module__", None)
    if module is None and hasattr(value, "__objclass__"):
        module = value.__objclass__.__module__
    name = getattr(value, "__qualname__", None)
    if type(module) is str and type(name) is str:
        return _reference(module, name, value)
    return None


def _reference(module, name, value):
    found = sys.modules.get(module)
    if module.partition(".")[0] not in sys.stdlib_module_names:
        found = None
    try:
        for part in name.split(".") if name else ():
            found = getattr(found, part)
    except AttributeError:
        found = None
    if found is value:
        return f'{{"R": {encode([module, name])}}}'
    if type(value).__name__ == "module":
        raise TypeError("a module can not be given to the code")
    return None
