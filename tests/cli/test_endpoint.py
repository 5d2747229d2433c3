"""`ask` through an OpenAI-compatible server that says what a test told it to."""

from __future__ import annotations

from importlib import metadata

import pytest

from assistant import config
from assistant.connecting import open_connection, target_of
from assistant.errors import ConfigProblem, EngineProblem
from tests.cli.conftest import Assistant
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

THINKING = "<think>\nPerhaps `a - b`?\n</think>\nHere it is:\n\n"
CODE = "def add(a, b):\n    return a + b\n"


def ask(assistant: Assistant, server: ScriptedEndpoint, *arguments: str, **environment: str):
    return assistant.run(
        *("ask", *arguments, "add two numbers"), ASSISTANT_ENDPOINT_URL=server.url, **environment
    )


def test_a_model_from_elsewhere_is_prompted_and_its_dialect_is_read(shared):
    """Thinking and prose are reasoning, the fence is the code; no daemon is started for it."""
    with ScriptedEndpoint([f"{THINKING}```python\n{CODE}```\nDone.\n"]) as server:
        done = ask(shared, server, ASSISTANT_ENDPOINT_MODEL="scripted")

    assert (done.returncode, done.stdout) == (0, CODE)
    assert "Perhaps `a - b`?" in done.stderr
    assert "verdict: parsed" in done.stderr
    (body,) = server.requests
    assert body["model"] == "scripted"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"] == "add two numbers"
    assert "forced" not in body


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply.of(CODE, break_after=2), "failed"),
        (Reply(status=401, error="Incorrect API key provided"), "Incorrect API key"),
        (Reply(status=500, error="CUDA out of memory"), "CUDA out of memory"),
    ],
)
def test_a_server_that_fails_is_one_error(shared, reply: Reply, said: str):
    with ScriptedEndpoint([reply]) as server:
        done = ask(shared, server)

    assert done.returncode == 1
    assert done.stdout == ""
    assert f"\n{done.stderr}".count("\nError: ") == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_the_server_lacks_is_named_with_those_it_has(shared):
    with ScriptedEndpoint([CODE], model="other") as server:
        done = ask(shared, server, "--model", "wanted")

    assert done.returncode == 1
    assert "'wanted'" in done.stderr
    assert "other" in done.stderr


def test_a_key_that_is_not_set_is_asked_for_by_its_variable():
    flags = {"endpoint.url": "http://127.0.0.1:9/v1", "endpoint.api_key_env": "NO_SUCH_KEY"}
    with pytest.raises(ConfigProblem, match="NO_SUCH_KEY is not set") as caught:
        target_of(config.load(flags, environment={}))

    assert "export NO_SUCH_KEY" in caught.value.hint


def test_the_key_comes_from_the_environment_and_the_flag_names_the_model(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    flags = {
        "endpoint.url": "http://127.0.0.1:9/v1",
        "endpoint.api_key_env": "SOME_KEY",
        "endpoint.model": "usual",
    }
    usual = target_of(config.load(flags, environment={}))
    once = target_of(config.load(flags | {"model": "once"}, environment={}))

    assert (usual.api_key, usual.model) == ("secret", "usual")
    assert once.model == "once"


async def test_without_the_engine_library_the_error_says_what_to_install(monkeypatch):
    """What a base install does: it has the clients and no engine."""

    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(EngineProblem, match="not installed") as caught:
        await open_connection(config.load(environment={}))

    assert "assistant[local]" in caught.value.hint
    assert "endpoint.url" in caught.value.hint


def test_the_key_is_not_shown_where_the_target_is(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    flags = {"endpoint.url": "http://127.0.0.1:9/v1", "endpoint.api_key_env": "SOME_KEY"}
    resolved = config.load(flags, environment={})

    assert "secret" not in repr(target_of(resolved)) + repr(resolved)
