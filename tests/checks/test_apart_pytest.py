"""Tests that need pytest are run by it, in their sandbox, and see a project if one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.checks import CheckResult, run_tests
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome
from assistant.sandbox import Layer, Project, layers

pytestmark = pytest.mark.skipif(
    not {Layer.BUBBLEWRAP, Layer.LANDLOCK} & set(layers()), reason="no layer shows a project here"
)

ADD = """
class Bad(ValueError): ...
def add(a, b):
    print("adding")
    if a is None: raise Bad("none")
    return a + b
"""
MANY = """
import pytest

@pytest.fixture
def one(): return 1

@pytest.mark.parametrize("a, b", [(1, 2), (3, 4)])
def test_add(a, b): assert add(a, b) == a + b

def test_raises():
    with pytest.raises(Bad, match="none"): add(None, 1)
    assert add(0.1, 0.2) == pytest.approx(0.3)

class TestMore:
    def test_output(self, one, capsys):
        assert add(one, 1) == 2
        assert capsys.readouterr().out == "adding\\n"

async def test_later(one): assert add(one, 0) == 1
"""


def verdict(tests: str, code: str = ADD, **settings) -> CheckResult:
    module = settings.pop("module", "")
    parsed = parse_tests(tests, "test_it.py", module=module, project="project" in settings)
    return run_tests(code, parsed, **settings)


def test_fixtures_parameters_classes_and_helpers_of_pytest():
    result = verdict(MANY)

    assert (result.outcome, result.detail) == (Outcome.PASS, "4 tests with 6 asserts held")


@pytest.mark.parametrize(
    ("body", "outcome", "detail"),
    [
        ("def test_a(): assert add(1, 2) == 4", Outcome.WRONG, "line 2: def test_a(): assert"),
        (
            "def test_a():\n    with pytest.raises(KeyError): add(1, 2)",
            Outcome.WRONG,
            "DID NOT RAISE",
        ),
        ("@pytest.mark.skip\ndef test_a(): add(1, 2)", Outcome.NOT_CHECKED, "skipped: test_a"),
        ("def test_a(nope): add(1, 2)", Outcome.NOT_CHECKED, "the fixture nope"),
        ("def test_a(): add(1, 'a')", Outcome.ERROR, "TypeError"),
    ],
)
def test_the_verdict_on(body: str, outcome: Outcome, detail: str):
    result = verdict(f"import pytest\n{body}\n")

    assert result.outcome is outcome, result
    assert detail in result.detail


def test_an_always_equal_object_is_not_approximately_anything():
    code = "class Near:\n    def __rsub__(self, other): return 0.0\ndef add(a, b): return Near()"
    result = verdict("import pytest\ndef test_a(): assert add(1, 2) == pytest.approx(3)", code)

    assert result.outcome.failed, result


def test_without_pytest_the_next_command_is_said(tmp_path: Path):
    python = tmp_path / "bin" / "python"
    result = verdict("import pytest\nassert True", project=Project(tmp_path, python))

    assert (result.outcome, result.layer) == (Outcome.NOT_CHECKED, "none")
    assert f"install it with: {python} -m pip install pytest" in result.detail


@pytest.mark.parametrize("extra", ["", "import pytest\n"])
def test_a_module_is_judged_within_its_project(tmp_path: Path, extra: str):
    """The text that is judged takes the place of the file, for the tests and for its package."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text("from .cart import add\n")
    (shop / "rates.py").write_text("FEE = 5\n")
    (shop / "cart.py").write_text("raise RuntimeError('the file as it was')\n")
    (tmp_path / ".env").write_text("TOKEN=of the user\n")
    code = (
        "from pathlib import Path\nfrom .rates import FEE\nimport shop\n"
        "def add(a): return a + FEE\n"
        "def token(): return (Path(shop.__file__).parent.parent / '.env').read_text()\n"
    )
    tests = (
        f"{extra}import shop\nfrom shop import cart\nfrom shop.rates import FEE\n"
        "def test_add(): assert cart.add(1) == 1 + FEE and shop.add is cart.add\n"
        "def test_secret():\n    try: found = cart.token()\n    except OSError: found = ''\n"
        "    assert found == ''\n"
    )
    result = verdict(tests, code, module="cart", project=Project(tmp_path))

    assert result.outcome is Outcome.PASS, result
