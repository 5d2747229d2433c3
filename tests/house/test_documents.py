"""What the documents say is so: paths, commands, targets, pins, the file tree, the example."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.cli.main import COMMANDS, build_parser
from assistant.models import store

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


@pytest.mark.parametrize("text", [README, ARCHITECTURE, CONTRIBUTING], ids=["R", "A", "C"])
def test_paths_that_are_named_exist(text: str) -> None:
    named = set(re.findall(r"`((?:assistant|training|lsp|tui|tests|docs)/[\w./-]*)`", text))
    named |= set(re.findall(r"\]\((?!http|#)([\w./-]+)\)", text))

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert named


def test_the_questions_of_a_newcomer_are_answered() -> None:
    """Each in one line of the table, with a file that defines what is asked for."""
    answers = {
        "completion format": "assistant/format/completion.py",
        "sampling of a token": "assistant/engine/sampling.py",
        "structural loss": "training/losses/structural.py",
        "edit of a document": "lsp/python/edits.py",
    }
    rows = [line for line in ARCHITECTURE.splitlines() if line.startswith("|")]
    for question, path in answers.items():
        assert any(question in row and path in row for row in rows), question


def test_generated_parts_of_the_readme_are_current() -> None:
    """`python docs/readme_parts.py` writes it."""
    command = [sys.executable, str(ROOT / "docs" / "readme_parts.py"), "--check"]

    assert subprocess.run(command, check=False, timeout=60).returncode == 0


def test_every_command_is_in_the_readme_and_every_one_named_exists() -> None:
    named = set(re.findall(r"(?:`|^\$? ?)assistant ([a-z-]+)", README, re.MULTILINE))
    named |= set(re.findall(r"`([a-z-]+)`", README.split("| `assistant serve`")[1].split("|")[0]))

    assert set(COMMANDS) - {"tui"} <= named
    assert named <= set(COMMANDS)


def test_every_option_that_documents_name_exists() -> None:
    help_text = " ".join(command.format_help() for command in _commands(build_parser()))
    for option in set(re.findall(r"`(--[a-z-]+)", README)):
        assert option in help_text, option


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A command and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _commands(command)


def test_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ *)make ([a-z-]+)", README + CONTRIBUTING, re.MULTILINE))
    required = {"setup", "run", "test", "check", "test-soak", "bench", "clean"}

    assert named <= targets
    assert required <= targets


def test_every_dependency_is_pinned_in_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [requirement for group in groups for requirement in group]
    pinned = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    )
    for requirement in wanted:
        name, operator, version = re.fullmatch(
            r"([\w-]+)(==|>=)?([\w.]+)?", requirement.lower()
        ).groups()
        assert name in pinned, requirement
        assert operator != "==" or pinned[name] == version, requirement
    assert pinned["torch"] == "2.13.0"


def test_the_transcript_is_what_the_embedded_model_says() -> None:
    """The README's example, run again: reasoning on stderr, the code alone on stdout."""
    if not store.embedded_path().exists():
        pytest.skip("the embedded model is not in this tree: make starter")
    example = re.search(r"```console\n\$ assistant ask '(.+?)'\n(.*?)```", README, re.DOTALL)
    assert example, "README has no transcript"
    request, shown = example.groups()

    result = subprocess.run(
        [sys.executable, "-m", "assistant", "ask", request],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    subprocess.run([sys.executable, "-m", "assistant", "stop"], capture_output=True, check=False)

    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    assert shown.rstrip().endswith(result.stdout.rstrip())
    reasoning = shown[: shown.rindex(result.stdout.rstrip())]
    for line in reasoning.split("## Code")[0].splitlines():
        assert line in result.stderr.splitlines(), line
