"""What the tests of the language server share: an answer, and a session that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.lsp_client import LspClient
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint


@pytest.fixture
def session() -> Iterator[Callable[..., tuple[LspClient, ScriptedEndpoint]]]:
    """Start an initialised session whose model says what the test scripts."""
    with ExitStack() as stack:

        def start(*replies: Reply | str) -> tuple[LspClient, ScriptedEndpoint]:
            endpoint = stack.enter_context(ScriptedEndpoint(replies))
            client = stack.enter_context(LspClient({"ASSISTANT_ENDPOINT_URL": endpoint.url}))
            client.initialize()
            return client, endpoint

        yield start
