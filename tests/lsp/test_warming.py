"""The engine is made ready where suggestions will be asked for, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.held_endpoint import HeldEndpoint
from tests.support.lsp_inside import InsideSession, until

GHOST_TEXT: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}


async def opened(
    capabilities: dict[str, Any], language: str = "rust", **options: Any
) -> tuple[InsideSession, bool]:
    """A session with one document open, and whether that warmed the engine up."""
    session = InsideSession()
    await session.initialize(capabilities, initializationOptions=options)
    session.open("file:///a", language=language)
    return session, session.server.engine._warming is not None


@pytest.mark.parametrize(
    ("capabilities", "options"), [(GHOST_TEXT, {}), ({}, {"completion": True})]
)
async def test_code_in_an_editor_that_suggests_warms_up_once(
    capabilities: dict[str, Any], options: dict[str, Any]
) -> None:
    async with HeldEndpoint() as endpoint:
        session, warmed = await opened(capabilities, endpoint=endpoint.url, **options)
        assert warmed
        await until(lambda: session.server.engine.open_one())
        first = session.server.engine._warming
        session.open("file:///b")

        assert session.server.engine._warming is first
        await until(lambda: not session.server.status._tasks)


@pytest.mark.parametrize("language", ["markdown", "plaintext", "git-commit", ""])
async def test_what_is_read_loads_no_model(language: str) -> None:
    session, warmed = await opened(GHOST_TEXT, language=language)
    assert not warmed
    session.server.engine.flags = {"endpoint.url": "http://127.0.0.1:9/v1"}
    session.open("file:///code.py")
    assert session.server.engine._warming is not None


@pytest.mark.parametrize(("capabilities", "options"), [({}, {}), (GHOST_TEXT, {"inline": False})])
async def test_no_model_is_loaded_where_nothing_is_suggested(
    capabilities: dict[str, Any], options: dict[str, Any]
) -> None:
    session, warmed = await opened(capabilities, **options)
    assert not warmed

    session.notify("workspace/didChangeConfiguration", {"settings": {"assistant": {"model": "x"}}})
    assert session.server.engine._warming is None
