"""The `assistant` command as users start it: a process, real pipes, and the real daemon.

The models are tiny and real: each is a chain of tokens, so its answer is known, and everything
between the command line and llama.cpp is what users run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistant.cli.main import main
from tests.support.benchmark_runs import made_up
from tests.support.tiny_gguf import Tiny, chain_of, write

REASONING = (
    "## Intent\nAdd two numbers.\n",
    "## Steps\n1. Add them.\n",
    "## Formulas\nNone\n",
    "## Edge cases\n- no numbers\n",
)
OPENING = ("## Code\n```python\n", "def add(a, b):\n")
CODE = "def add(a, b):\n    return a + b\n"
ANSWERS = {
    "good": (*REASONING, *OPENING, "    return a + b\n", "```"),
    "undefined": (*REASONING, *OPENING, "    return a + missing\n", "```"),
    "prose": (*REASONING,),
}


BENCHMARK_TASKS = 40


@dataclass(frozen=True)
class Assistant:
    """Runs the command with a state folder of its own."""

    home: Path
    models: Path
    many: bool = False
    """A home, and so a daemon, for each model."""

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ASSISTANT_")}
        # One thread is enough for these models, and does not wait for another on a busy machine.
        own = {"ASSISTANT_HOME": str(self.home), "ASSISTANT_DAEMON_THREADS": "1", "NO_COLOR": "1"}
        return kept | own | more

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "assistant", *arguments]

    def run(
        self, *arguments: str, stdin: bytes | str = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; never waits for longer than a minute."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env=self.environment(**environment),
            timeout=60,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def ask(self, model: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Ask `model`; each has a daemon of its own, as a change of models takes a restart."""
        home = str(self.home / model) if self.many else str(self.home)
        more = {"ASSISTANT_HOME": home} | more
        return self.run("ask", "--model", self.model(model), *arguments, **more)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        return subprocess.Popen(
            self.command(*arguments),
            # `communicate` does not see what a buffer holds after some lines were read.
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(**environment),
        )

    def model(self, name: str) -> str:
        return str(self.models / f"{name}.gguf")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for each answer, and one whose answer does not end."""
    folder = tmp_path_factory.mktemp("models")
    for name, parts in ANSWERS.items():
        write(folder / f"{name}.gguf", Tiny(chain=chain_of(*parts), words=parts, name=name))
    parts = (*REASONING, *OPENING, "    a += 1\n", "    a += 2\n")
    endless = chain_of(*parts) | {"    a += 2\n": "    a += 1\n"}
    write(folder / "endless.gguf", Tiny(chain=endless, words=parts, context=1 << 16))
    return folder


@pytest.fixture(scope="session")
def shared(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Daemons for the tests that leave them alone."""
    homes = tmp_path_factory.mktemp("shared")
    yield Assistant(homes, models, many=True)
    for home in (homes, *filter(Path.is_dir, homes.iterdir())):
        _stop(Assistant(home, models))


@pytest.fixture
def assistant(models: Path, tmp_path: Path) -> Iterator[Assistant]:
    """A state folder, and so a daemon, of this test's own."""
    made = Assistant(tmp_path / "home", models)
    yield made
    _stop(made)


def _stop(assistant: Assistant) -> None:
    done = assistant.run("stop")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def benchmark_data(tmp_path: Path) -> Path:
    """A data file of HumanEval's form."""
    return made_up(tmp_path / "tasks.jsonl", BENCHMARK_TASKS)


@pytest.fixture
def evaluate(
    benchmark_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Runs `eval` in this process, in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSISTANT_DATA", raising=False)

    def call(*arguments: object, benchmark: str = "humaneval") -> tuple[int, str, str]:
        words = ["eval", benchmark, "--data", str(benchmark_data), *map(str, arguments)]
        code = main(words)
        return code, *capsys.readouterr()

    return call
