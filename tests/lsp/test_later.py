"""What an editor waits for at its start: little is imported before `initialize` is answered."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lsp import later
from lsp.server import AssistantServer
from tests.support.lsp_client import Buffer, LspClient

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("assistant.answer", "assistant.checks", "assistant.client", "assistant.engine"),
    *("assistant.format", "assistant.sandbox", "assistant.tasks", "httpx", "pathspec"),
    *("lsp.generate.actions", "lsp.generate.commands", "lsp.inline.completions", "lsp.python"),
)


def test_what_handles_requests_is_not_imported_to_answer_initialize() -> None:
    script = (
        "import json, sys\n"
        "from assistant.cli import lsp as _\n"
        "from lsp.server import AssistantServer\n"
        "AssistantServer()\n"
        "print(json.dumps(list(sys.modules)))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    imported = json.loads(done.stdout)

    assert [name for name in HEAVY if name in imported] == []


def test_all_handlers_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named by text, so nothing else finds a wrong name before somebody uses it."""
    server = AssistantServer()
    later.load()
    assert gc.isenabled()

    later.later(server, "lsp.generate.commands.no_such_command")
    with pytest.raises(AttributeError):
        later.load()
    later._named.discard("lsp.generate.commands.no_such_command")


def test_an_editor_that_does_not_say_that_it_is_initialized_is_served() -> None:
    buffer = Buffer("file:///a.py", 'def f(x):\n    """Double x."""\n')
    params = {"processId": None, "rootUri": None, "capabilities": {}}
    with LspClient() as client:
        client.result(client.request("initialize", params))
        client.open(buffer)

        assert client.code_actions(buffer, 0) is not None
        status = {"command": "assistant.status"}
        assert client.result(client.request("workspace/executeCommand", status))["kind"]
