# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201, ANN202, ANN205, F821
"""Tests beside the code in one process, as any other run has them.

The code could make them hold. What is reported here is never a pass (`assistant.checks.together`).
The frame brings the texts of `running` and `pytesting`, which run in this namespace.
"""

import json
import marshal
import sys

_setup = marshal.loads(receive())
_counted = {"functions": [], "skipped": []}


def _report(**facts):
    """Nobody asks what was reached."""


def _finish(**facts):
    send(json.dumps({**facts, **_counted}).encode("ascii"))
    while True:  # the parent ends this process
        receive()


def _facts(error):
    """Whether the system refused something, or a module was missing, at the bottom of it."""
    refused, seen = False, set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        refused |= isinstance(error, (OSError, ImportError))
        error = error.__cause__ or error.__context__
    return {"type": "", "remote": False, "refused": refused}


def unsupported(what):
    """The tests do what can not be done here."""
    _finish(end="unsupported")


def _load(name, source, file):
    """The code in place of its module, within its package."""
    from importlib.machinery import ModuleSpec

    code = compile(source, file or "<answer>", "exec", dont_inherit=True)

    class Answer:
        @staticmethod
        def find_spec(wanted, path=None, target=None):
            return ModuleSpec(name, Answer) if wanted == name else None

        @staticmethod
        def create_module(spec):
            return None

        @staticmethod
        def exec_module(module):
            if file:
                module.__file__ = file
            exec(code, vars(module))

    sys.meta_path.insert(0, Answer)
    __import__(name)
    return sys.modules[name]


def _tests(module):
    """The module of the tests, executed; the code is importable by every name that they use."""
    for name in _setup["names"]:
        sys.modules.setdefault(name, module)
    space = sys.modules[_setup["module"]] = type(sys)(_setup["module"])
    space.__package__ = _setup["module"].rpartition(".")[0]
    space.__file__ = _setup["path"]
    exec(compile(_setup["tests"], _setup["name"], "exec", dont_inherit=True), vars(space))
    return vars(space)


for _text in _setup["more"]:
    exec(_text, globals())
sys.path.extend(_setup["folders"])
try:
    _space = _tests(_load(_setup["names"][0], _setup["code"], _setup["file"]))
    run_pytest() if _setup["pytest"] else run_all()
except BaseException as error:
    _finish(end="raised", **_facts(error))
_finish(end="finished")
