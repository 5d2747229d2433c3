"""What the tests of the language server share: sessions whose model says what a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.generating import OURS
from tests.support.lsp_client import LspClient
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

Start = Callable[..., tuple[LspClient, ScriptedEndpoint]]


def _session(
    tmp_path_factory: pytest.TempPathFactory, **more: Any
) -> Iterator[tuple[LspClient, ScriptedEndpoint]]:
    home = str(tmp_path_factory.mktemp("home"))
    with ScriptedEndpoint([]) as endpoint:
        environment = {"ASSISTANT_HOME": home, "ASSISTANT_ENDPOINT_URL": endpoint.url}
        with LspClient(environment) as client:
            client.initialize(**more)
            yield client, endpoint


def _starting(client: LspClient, endpoint: ScriptedEndpoint) -> Start:
    def start(*replies: Reply | str) -> tuple[LspClient, ScriptedEndpoint]:
        client.forget()
        endpoint.script(replies)
        return client, endpoint

    return start


@pytest.fixture(scope="module")
def _shared(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LspClient, ScriptedEndpoint]]:
    yield from _session(tmp_path_factory)


@pytest.fixture(scope="module")
def _shared_ours(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LspClient, ScriptedEndpoint]]:
    yield from _session(tmp_path_factory, capabilities=OURS)


@pytest.fixture
def session(_shared: tuple[LspClient, ScriptedEndpoint]) -> Start:
    """An initialised session; one process serves all tests of a file that leave it running."""
    return _starting(*_shared)


@pytest.fixture
def ours(_shared_ours: tuple[LspClient, ScriptedEndpoint]) -> Start:
    """The same for an editor with an extension of ours."""
    return _starting(*_shared_ours)


@pytest.fixture
def own_session() -> Iterator[Start]:
    """An initialised session of the test's own; keywords go into `initialize`."""
    with ExitStack() as stack:

        def start(*replies: Reply | str, **more: object) -> tuple[LspClient, ScriptedEndpoint]:
            endpoint = stack.enter_context(ScriptedEndpoint(replies))
            client = stack.enter_context(LspClient({"ASSISTANT_ENDPOINT_URL": endpoint.url}))
            client.initialize(**more)
            return client, endpoint

        yield start
