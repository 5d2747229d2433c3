"""How these tests run the application: on a real HTTP server or daemon, at a known size.

No sleeps: `wait_until` looks again after every message the application has handled.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from assistant import config
from tests.support.scripted_endpoint import ScriptedEndpoint
from tui.app import AssistantApp
from tui.launch import build
from tui.turn import Turn
from tui.widgets.turn_view import TurnView

SIZE = (100, 40)
PATIENCE_S = 20.0

REASONING = """## Intent
Double a number.
## Steps
1. Multiply by two.
## Formulas
f(x) = 2 * x
## Edge cases
- Zero stays zero.
"""
CODE = "def double(x):\n    return 2 * x\n"
ANSWER = f"{REASONING}## Code\n```python\n{CODE}```\n"


class Session:
    """The application under test together with its pilot."""

    def __init__(self, app: AssistantApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def view(self) -> TurnView:
        """The panes of the newest turn."""
        assert self.app.transcript.current is not None, "no turn is on the screen"
        return self.app.transcript.current

    @property
    def turn(self) -> Turn:
        """The newest turn."""
        assert self.app.turn is not None, "nothing has been asked"
        return self.app.turn

    @property
    def phase(self) -> str:
        """What the newest turn is doing, in the words of the status line."""
        return "" if self.app.turn is None else self.turn.phase.value

    async def ask(self, text: str) -> None:
        """Type a prompt and press Enter."""
        self.app.prompt.insert(text)
        await self.pilot.press("enter")
        await self.until(lambda: self.app.turn is not None and self.app.turn.question == text)

    async def until(self, predicate: Callable[[], object], timeout: float = PATIENCE_S) -> None:
        """Wait until `predicate` is true, and fail with what the screen shows if it stays false."""
        deadline = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not happen in {timeout} s; the screen:\n{self.text}")
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def until_over(self) -> None:
        """Wait for the end of the answer."""
        await self.until(lambda: self.app.turn is not None and not self.app.busy)
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """Everything that is on the screen, as text."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in lines)


@asynccontextmanager
async def session_on(
    endpoint: ScriptedEndpoint | str, size: tuple[int, int] = SIZE
) -> AsyncIterator[Session]:
    """The application talking to a scripted endpoint (or to what listens at an address)."""
    url = endpoint if isinstance(endpoint, str) else endpoint.url
    async with session(config.load({"endpoint.url": url}), size) as running:
        yield running


@asynccontextmanager
async def session(
    resolved: config.Resolved, size: tuple[int, int] = SIZE
) -> AsyncIterator[Session]:
    """The application as `assistant tui` would start it with these settings."""
    app = build(resolved)
    async with app.run_test(size=size) as pilot:
        yield Session(app, pilot)
