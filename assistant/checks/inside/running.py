# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, F821
"""The tests' process runs what the parent has listed: functions, methods, `unittest` cases.

It runs in the namespace of `tester`. A test counts when it was run to its end; one that was
skipped is reported with its reason, and is no pass.
"""


def run_all():
    """Run every listed test, in the order of the file; the first that fails ends it."""
    groups = {}
    for name in _setup["functions"]:
        owner = name.rpartition(".")[0]
        groups.setdefault(owner or name, []).append(name)
    for owner, names in groups.items():
        if owner in names:
            _report(at=owner)
            _finished(_space[owner]())
            _counted["functions"].append(owner)
        elif _is_case(_space[owner]):
            _run_case(_space[owner], names)
        else:
            _run_class(_space[owner], names)


def _finished(result):
    """A coroutine is a test that has not run yet."""
    if type(result).__name__ == "coroutine":
        import asyncio

        asyncio.run(result)


def _is_case(kind):
    unittest = sys.modules.get("unittest")
    return unittest is not None and issubclass(kind, unittest.TestCase)


def _run_class(kind, names):
    """As pytest would: an object for each test, with the set-up methods that there are."""
    _optional(kind, "setup_class")
    for name in names:
        _report(at=name)
        target = kind()
        method = getattr(target, name.rpartition(".")[2])
        _optional(target, "setup_method", method)
        _finished(method())
        _optional(target, "teardown_method", method)
        _counted["functions"].append(name)
    _optional(kind, "teardown_class")


def _optional(target, name, *given):
    found = getattr(target, name, None)
    if found is not None:
        takes = getattr(found, "__code__", None)
        own = 1 if getattr(found, "__self__", None) is not None else 0
        found(*given[: takes.co_argcount - own] if takes is not None else ())


def _run_case(kind, names):
    import unittest

    class Result(unittest.TestResult):
        def startTest(self, test):
            super().startTest(test)
            _report(at=f"{type(test).__name__}.{test._testMethodName}")

        def addSuccess(self, test):
            _counted["functions"].append(f"{type(test).__name__}.{test._testMethodName}")

        def addError(self, test, err):
            _finish(end="raised", **_facts(err[1]))

        addFailure = addError

        def addSubTest(self, test, subtest, err):
            if err is not None:
                self.addError(test, err)

        def addSkip(self, test, reason):
            _skipped(f"{test}: {reason}")

        def addExpectedFailure(self, test, err):
            self.addSuccess(test)

        def addUnexpectedSuccess(self, test):
            _finish(end="raised", **_facts(AssertionError(f"unexpected success of {test}")))

    suite = unittest.TestSuite(kind(name.rpartition(".")[2]) for name in names)
    suite.run(Result())


def _skipped(what):
    _counted["skipped"].append(what[:200])
