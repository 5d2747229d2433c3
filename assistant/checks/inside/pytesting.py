# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, F821
"""The tests' process runs tests that only pytest knows how to run, by the pytest installed there.

It runs in the namespace of `tester`. The module of the tests has been executed already, against
the stand-ins of the code; a plugin hands it to pytest and reports what became of each test.
"""

_ARGUMENTS = [
    *("-c", "/dev/null", "-q", "--tb=native", "--capture=sys", "--import-mode=importlib"),
    *("-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:doctest"),
]


def run_pytest():
    """Run every test of the module under pytest; the first that fails ends it."""
    import os

    if not _setup["plugins"]:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    code = pytest.main(list(_ARGUMENTS), plugins=[_plugin(pytest)])
    if code not in (0, 1):
        unsupported(f"pytest to run to its end; it ended with {code!r}")


def _conftest(name, path):
    """A file of fixtures, executed; one that can not be is no fault of the code."""
    from importlib.util import module_from_spec, spec_from_file_location

    try:
        spec = spec_from_file_location(name, path)
        module = sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:
        unsupported(f"{path}, which can not be loaded: {type(error).__name__}: {error}"[:300])
    return module


def _plugin(pytest):
    from pathlib import Path

    class Module(pytest.Module):
        def _getobj(self):
            return sys.modules[_setup["module"]]

    class Plugin:
        def pytest_configure(self, config):
            for name, path in _setup["conftests"]:
                # By a name that pytest does not take for a folder of other tests.
                config.pluginmanager.register(_conftest(name, path), f"fixtures: {path}:")

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection(self, session):
            path = Path(session.config.rootpath, _setup["name"])
            session.items = list(session.genitems(Module.from_parent(session, path=path)))
            session.testscollected = len(session.items)
            hook = session.config.hook
            hook.pytest_collection_modifyitems(
                session=session, config=session.config, items=session.items
            )
            hook.pytest_collection_finish(session=session)
            return True

        def pytest_collectreport(self, report):
            if report.failed:
                unsupported(f"what pytest could not collect: {str(report.longrepr)[-300:]}")

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(self, pyfuncitem):
            import inspect

            if not inspect.iscoroutinefunction(pyfuncitem.obj):
                return None
            names = pyfuncitem._fixtureinfo.argnames
            _finished(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
            return True

        def pytest_keyboard_interrupt(self, excinfo):
            _finish(end="raised", **_facts(excinfo.value))

        def pytest_runtest_setup(self, item):
            _report(at=_unit(item))

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(self, item, call):
            outcome = yield
            _after(item, call, outcome.get_result())

    return Plugin()


def _unit(item):
    name = getattr(item, "originalname", None) or item.name.partition("[")[0]
    owner = getattr(item, "cls", None)
    return f"{owner.__name__}.{name}" if owner is not None else name


def _after(item, call, report):
    """What one phase of a test says of it."""
    expected = hasattr(report, "wasxfail")
    if report.outcome == "failed":
        error = call.excinfo.value if call.excinfo is not None else AssertionError(report.longrepr)
        if type(error).__name__ == "FixtureLookupError":
            unsupported(f"the fixture {error.argname}, which is not defined in their file")
        facts = _facts(error)
        if type(error).__name__ == "Failed" and not facts["remote"]:  # pytest's own assertion
            facts["type"] = "AssertionError"
        _finish(end="raised", **facts)
    elif report.outcome == "skipped" and not expected:
        said = report.longrepr[-1] if isinstance(report.longrepr, tuple) else ""
        _skipped(f"{item.name}: {said}")
    elif (report.when == "call" or expected) and _unit(item) not in _counted["functions"]:
        _counted["functions"].append(_unit(item))
