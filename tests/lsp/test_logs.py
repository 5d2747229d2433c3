"""Nothing that somebody wrote is in a log at its usual level: documents, parameters, errors."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from assistant import locations
from lsp.logs import DiscreetFormatter
from tests.support.lsp_client import Buffer, LspClient
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

SECRET = "hunter2"
STUB = f'def {SECRET}(x):\n    """Double {SECRET}."""\n'
FAILING = """
import asyncio, sys
from lsp import server

async def fail(params):
    asyncio.get_running_loop().create_task(fail_too(params))
    asyncio.get_running_loop().call_soon(int, params.arguments[0])
    try:
        int(params.arguments[0])
    except ValueError as error:
        raise RuntimeError(str(error)) from error

async def fail_too(params):
    raise KeyError(params.arguments[0])

def fail_plainly(params):
    raise LookupError(params)

class Server(server.AssistantServer):
    def _register(self):
        super()._register()
        self.command("test.fail")(fail)
        self.feature("workspace/didRenameFiles")(fail_plainly)

server.AssistantServer = Server
sys.exit(server.main())
"""


def written(errors: Path) -> str:
    """All that the server has written, to its log and to stderr."""
    log = locations.log_path("lsp")
    return errors.read_text() + (log.read_text() if log.exists() else "")


def wreak_havoc(client: LspClient, buffer: Buffer, commands: Sequence[str] = ()) -> None:
    """Everything that a server could log something of: wrong in many ways, with a word in it."""
    place = buffer.position(0)
    span = {"start": place, "end": place}
    for params in (None, SECRET, {SECRET: SECRET}, {"command": SECRET}, {"textDocument": SECRET}):
        for method in ("workspace/executeCommand", "textDocument/codeAction", SECRET):
            client.error_code(client.request(method, params))
        for method in ("textDocument/didChange", "textDocument/didOpen", SECRET):
            client.notify(method, params)
    odd = {"uri": SECRET, "proposal": SECRET, "name": SECRET, "id": SECRET, "task": SECRET}
    for arguments in ([SECRET], [odd | {"range": span}], [odd | {"uri": buffer.uri}]):
        for name in commands:
            command = {"command": name, "arguments": arguments}
            client.response(client.request("workspace/executeCommand", command))
    change = {"contentChanges": [{"text": SECRET}]}
    identifier = {"uri": f"file:///{SECRET}", "version": 1}
    client.notify("textDocument/didChange", {"textDocument": identifier, **change})
    client.notify("workspace/didChangeConfiguration", {"settings": {"assistant": {SECRET: 1}}})
    client.notify("$/cancelRequest", {"id": SECRET})
    client.send({"jsonrpc": "2.0", "id": SECRET, "result": SECRET})
    client.send_bytes(f"Content-Length: {SECRET}\r\n\r\n".encode())
    client.send_frame(f'{{"jsonrpc": "{SECRET}'.encode())
    client.forget()


def test_no_word_of_anybody_is_logged(tmp_path: Path) -> None:
    errors = tmp_path / "stderr"
    refusal = Reply(status=500, error=f"can not read {SECRET}")
    with (
        ScriptedEndpoint([f"There is no {SECRET} here.", refusal]) as endpoint,
        LspClient({"ASSISTANT_ENDPOINT_URL": endpoint.url}, errors=errors) as client,
    ):
        options = {SECRET: SECRET}
        capabilities = client.initialize(initializationOptions=options)["capabilities"]
        commands = capabilities["executeCommandProvider"]["commands"]
        buffer = Buffer("file:///a.py", STUB)
        client.open(buffer)
        for _ in endpoint.replies:
            client.result(client.run_command(client.offered(buffer, 0, "Implement ")))
        wreak_havoc(client, buffer, commands)

        assert len(endpoint.requests) == 2

    found = written(errors)
    assert "a document changed that is not open" in found
    assert SECRET not in found


def test_an_error_inside_is_told_without_its_words(tmp_path: Path) -> None:
    """In the log stands where it was raised; the editor, which has a log too, is told to look."""
    errors = tmp_path / "stderr"
    with LspClient(command=(sys.executable, "-c", FAILING), errors=errors) as client:
        client.initialize()
        command = {"command": "test.fail", "arguments": [f"{SECRET}\ud83d"]}
        client.notify("workspace/didRenameFiles", {"files": [{"oldUri": SECRET, "newUri": ""}]})

        response = client.response(client.request("workspace/executeCommand", command))

        assert response["error"]["code"] == -32603
        assert SECRET not in str(response)
        assert client.of("window/showMessage") == []

    found = written(errors)
    assert "in fail_plainly" in found
    assert "in fail\n" in found
    assert found.index("builtins.ValueError") < found.index("builtins.RuntimeError")
    assert "builtins.KeyError" in found
    assert SECRET not in found


def test_words_that_another_formatter_has_kept_are_not_used() -> None:
    """With `--debug` there is one for stderr, which tells everything."""
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 1, "failed", (), sys.exc_info())
    assert SECRET in logging.Formatter().format(record)

    assert SECRET not in DiscreetFormatter().format(record)


def test_without_a_log_file_stderr_takes_its_place(tmp_path: Path) -> None:
    errors = tmp_path / "stderr"
    locations.state_dir().mkdir(parents=True)
    locations.log_path("lsp").parent.write_text("in the way")
    with LspClient(errors=errors) as client:
        client.initialize()
        wreak_havoc(client, Buffer("file:///a.py", STUB))

    assert "no log file" in errors.read_text()
    assert "a document changed that is not open" in errors.read_text()
    assert SECRET not in errors.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_brings_nothing_to_stderr(tmp_path: Path) -> None:
    errors, log = tmp_path / "stderr", locations.log_path("lsp")
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    with LspClient(errors=errors) as client:
        client.initialize()
        client.notify("textDocument/didOpen", {"textDocument": SECRET})  # logged as a warning
        client.error_code(client.request("test/unknown", None))

    assert errors.read_text() == ""
