"""Which inline request is the newest, and that nothing is kept of one that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.engine.running import Ticket
from assistant.engine.types import Limits, Priority
from assistant.errors import AssistantError, EngineProblem
from tests.engine.scheduling import Asked, Desk, cancelled, same
from tests.engine.test_scheduler import raw, solo


def test_an_older_inline_request_that_was_longer_on_its_way_is_not_served(desk: Desk) -> None:
    """It may be prepared later than the newer one; that one is what the user waits for."""
    older = Ticket(raw(desk.engine, "a = ", 5), lambda _: None, Priority.INLINE, "editor:file.py")
    newer = desk.ask(raw(desk.engine, "a = 1", 5), Priority.INLINE, "editor:file.py")
    desk.step()
    late = Asked(older, [])
    older.sink = late.outputs.append
    desk.scheduler.submit(desk.engine, older)
    desk.finish([newer, late])

    assert cancelled(late)
    assert newer.end.completion_tokens == 5
    desk.assert_empty()


def test_a_failed_inline_request_is_forgotten(desk: Desk) -> None:
    """Before it began and in the middle: its document has no newest request any more."""
    refused = replace(raw(desk.engine, "a = ", 5), limits=Limits(grammar="root ::= ("))
    asked = desk.ask(refused, Priority.INLINE, "editor:one.py")
    desk.step()
    assert isinstance(asked.ends[0], AssistantError)
    asked = desk.ask(raw(desk.engine, "b = ", 50), Priority.INLINE, "editor:two.py")
    desk.step(3)
    (running,) = desk.lane.running[Priority.INLINE]
    desk.lane.fail(running, EngineProblem("It failed."))
    assert isinstance(asked.ends[0], EngineProblem)
    engine, ticket = desk.engine, Ticket(asked.ticket.request, lambda _: None, Priority.INLINE, "x")
    desk.scheduler.detach(engine)
    desk.scheduler.submit(engine, ticket)
    desk.step()
    desk.scheduler.attach(engine)
    desk.assert_empty()


def test_a_defect_behind_a_call_leaves_no_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie in llama.cpp's memory, and nobody has counted them yet."""
    request = raw(desk.engine, "words " * 20, 10)
    alone = solo(desk.engine, request)
    desk = Desk(desk.engine)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(desk.lane, "done", broken)
        failed = desk.ask(request)
        desk.step()
    assert isinstance(failed.ends[0], EngineProblem)
    desk.assert_empty()
    assert same(desk.all_of(request), alone)
