"""Where no layer of isolation works, or one does not any more that did.

Without any, nothing is run, nothing passes and nothing fails. That state is real:
see `tests/support/unsandboxed.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.sandbox import layers
from tests.cli.conftest import Assistant
from tests.support import unsandboxed
from tests.support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is made by means of Linux")
CODE = 'def add(a, b):\n    """\n    >>> add(2, 1)\n    4\n    """\n    return a + b\n'
LAYERS = ("bubblewrap", "landlock")


class Bare(Assistant):
    """The same command where no layer works."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, unsandboxed.__file__, *super().command(*arguments)]


@pytest.fixture
def bare(shared: Assistant, tmp_path: Path) -> Bare:
    return Bare(tmp_path, shared.models)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sums.py"
    path.write_text(CODE)
    path.with_name("test_sums.py").write_text("from sums import add\nassert add(2, 1) == 4\n")
    return path


@pytest.mark.parametrize("tests", [False, True])
def test_verify_ends_with_4_and_says_how_to_get_one(bare, file: Path, tests: bool):
    more = ("--tests", str(file.with_name("test_sums.py"))) if tests else ()

    done = bare.run("verify", str(file), "--json", *more)
    found = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (4, "")
    assert (found["verdict"], found["layer"]) == ("sandbox unavailable", "none")
    assert "install bubblewrap" in found["detail"]
    assert all(layer in found["detail"] for layer in LAYERS)
    assert "macOS" not in found["detail"]


def test_what_needs_no_run_is_judged_all_the_same(bare, file: Path):
    file.write_text(CODE + "def broken(:\n")

    done = bare.run("verify", str(file))

    assert done.returncode == 3
    assert done.stdout.startswith("error: SyntaxError")


@pytest.mark.parametrize("candidates", ["1", "3"])
def test_ask_gives_the_code_and_says_that_it_was_not_run(bare, candidates: str):
    reply = f"## Intent\nAdd.\n## Code\n```python\n{CODE}```\n"
    with ScriptedEndpoint([reply] * 3) as server:
        done = bare.run(
            *("ask", "--candidates", candidates, "`add(a, b)` adds; add(2, 1) == 4"),
            ASSISTANT_ENDPOINT_URL=server.url,
        )

    assert (done.returncode, done.stdout) == (0, CODE)
    assert "sandbox unavailable: " in done.stderr
    assert "install bubblewrap" in done.stderr
    assert "passed" not in done.stderr
    assert "alike" not in done.stderr


def test_doctor_says_it_and_how_to_get_one(bare):
    done = bare.run("doctor", "--json", ASSISTANT_ENDPOINT_URL="http://127.0.0.1:9/v1")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (found,) = [line for line in lines if line["check"] == "sandbox"]

    assert found["state"] == "warning"
    assert "no layer works" in found["message"]
    assert [line.partition(":")[0] for line in found["advice"].splitlines()] == list(LAYERS)
    assert "install bubblewrap" in found["advice"]


@pytest.fixture
def lost(tmp_path: Path) -> dict[str, str]:
    """Surroundings in which bubblewrap was noted to work, and works no more."""
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'bwrap: no permissions to create a namespace' >&2\n")
    broken.chmod(0o755)
    more = {
        "PATH": f"{broken.parent}{os.pathsep}{os.environ['PATH']}",
        "ASSISTANT_HOME": str(tmp_path / "home"),
    }
    note = "from assistant.sandbox import probing; probing.note('works', ['bubblewrap'])"
    subprocess.run([sys.executable, "-c", note], env=os.environ | more, check=True, timeout=60)
    return more


@pytest.mark.skipif(len(layers()) < 2, reason="there is no second layer to be used instead")
class TestALayerThatWorksNoMore:
    """The note is taken back; the verdict is the code's, by another layer, which is named."""

    def test_verify(self, shared, lost: dict[str, str], file: Path):
        file.write_text(CODE.replace("4", "3"))
        said = [shared.run("verify", str(file), **lost) for _ in range(2)]

        assert [done.stdout[:15] for done in said] == ["pass (landlock)"] * 2
        assert [done.returncode for done in said] == [0, 0]

    def test_ask(self, shared, lost: dict[str, str]):
        reply = f"## Intent\nAdd.\n## Code\n```python\n{CODE}```\n"
        with ScriptedEndpoint([reply]) as server:
            lost["ASSISTANT_ENDPOINT_URL"] = server.url
            done = shared.run("ask", "`add(a, b)` adds; add(2, 1) == 3", **lost)

        assert (done.returncode, done.stdout) == (0, CODE)
        assert "verdict: pass (landlock): the example of the request holds" in done.stderr
