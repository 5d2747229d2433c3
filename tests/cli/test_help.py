"""Help and usage: quick, light, and only what works."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from assistant.cli.main import COMMANDS, build_parser, main

HEAVY = ("torch", "textual", "pygls", "llama_cpp", "httpx", "starlette", "numpy", "transformers")
_REPORT = """
import sys
from assistant.cli.main import main
code = main({arguments!r})
print("loaded:", *sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["train", "--help"], []])
def test_help_imports_nothing_heavy(arguments: list[str]):
    """The proof is the process's own module table; without a terminal no command means help."""
    if arguments[:1] == ["train"] and "train" not in COMMANDS:
        pytest.skip("there is no command `train`")
    script = _REPORT.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: assistant")
    assert done.stderr.strip() == "loaded:"


def test_help_lists_every_command_and_every_command_has_help(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n    {name} " in listed or f"\n    {name}\n" in listed
        assert main([name, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"usage: assistant {name}")


_NEEDED = {
    "export": ["--base", "m"],
    "models": ["list"],
    "train": ["--list"],
    "verify": ["x.py"],
    "complete": ["x.py:1:1"],
    "eval": ["mbpp"],
    "eval-compare": ["a", "b"],
}


def test_every_command_has_something_to_run():
    parser = build_parser()
    for name in COMMANDS:
        arguments = _NEEDED.get(name, [])
        assert callable(parser.parse_args([name, *arguments]).run)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "Argument COMMAND: invalid choice: 'nonsense'"),
        (["ask", "--nonsense", "x"], "Unrecognized arguments: --nonsense."),
        (["ask", "--max-tokens", "many", "x"], "invalid int value: 'many'"),
        (["ask", "--max-tokens", "0", "x"], "--max-tokens must be 1 or more"),
        (["ask", "--json", "--stream", "x"], "--json and --stream exclude each other"),
        (["ask", "--tests", "t.py", "--no-verify", "x"], "exclude each other"),
        (["ask", "--candidates", "0", "x"], "--candidates must be from 1 to 64, not 0"),
        (["ask", "--candidates", "65", "x"], "--candidates must be from 1 to 64, not 65"),
        (["ask", "--candidates", "2", "--stream", "x"], "--candidates and --stream exclude"),
        (["ask", "--candidates", "2", "--no-verify", "x"], "--candidates and --no-verify exclude"),
        (["verify"], "FILE[::FUNCTION]"),
        (["ask", "--tests", "/nowhere/t.py", "x"], "/nowhere/t.py can not be read"),
        (["ask", "--js", "x"], "Unrecognized arguments: --js."),
        (["models"], "ACTION"),
        (["tui"], "needs a terminal"),
    ],
)
def test_wrong_usage_is_one_error_and_exit_2(capsys, arguments: list[str], said: str):
    code = main(arguments)
    stdout, stderr = capsys.readouterr()

    assert code == 2
    # With --json even a wrong usage is a terminal event, for whoever reads the stream.
    assert stdout == "" or json.loads(stdout)["type"] == "error"
    assert stderr.startswith("Error: ")
    assert said in stderr
    assert "Traceback" not in stderr


def test_version(shared):
    from assistant import __version__

    assert shared.run("--version").stdout == f"assistant {__version__}\n"
