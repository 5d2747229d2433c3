"""A model, or what stands behind an endpoint, may write anything; the screen shows it as text."""

from __future__ import annotations

import pytest

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import session_on

MARKUP = "[bold red]x[/] [/nothing] [@click=app.quit]press[/] [[ ]] \\[b]"
ANSI = "\x1b[31mred\x1b[2J\x1b]0;title\x07\x9b5n"
WIDE = "世界 한국어 \u2764\ufe0f 👩\u200d👩\u200d👧 e\u0301"
RIGHT_TO_LEFT = "שלום مرحبا \u202edesrever\u202c \u2066x\u2069"
CONTROLS = "a\x00b\x08c\x7fd\x0be\u2028f\rg"
LONG = "ab[c]" * 2000

HOSTILE = {
    # what the model writes, and what can be read on the screen afterwards
    "markup": (MARKUP, MARKUP),
    "ansi": (ANSI, "\u241b[31mred\u241b[2J\u241b]0;title\u2407\ufffd5n"),
    "wide": (WIDE, "한국어"),
    "right to left": (RIGHT_TO_LEFT, "<U+202E>desrever<U+202C>"),
    "controls": (CONTROLS, "a\u2400b\u2408c\u2421d\u240be\u2424f\u240dg"),
    "a line of 10 000 characters": (LONG, "ab[c]" * 10),
}


@pytest.mark.parametrize("where", ["reasoning", "code"])
@pytest.mark.parametrize(("text", "visible"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_is_shown_as_text(text: str, visible: str, where: str) -> None:
    """It can be read, no control character reaches the terminal, the application goes on."""
    if where == "code":
        answer = f"## Intent\nShow it.\n## Code\n```python\n# {text}\nx = 1\n```\n"
    else:
        answer = f"## Intent\n{text}\n## Code\n```python\nx = 1\n```\n"
    # One character a chunk: every boundary is a place where a parser could go wrong.
    with ScriptedEndpoint([Reply.of(answer, size=1 if len(text) < 1000 else 100)]) as server:
        async with session_on(server, size=(80, 200)) as s:
            await s.ask("show [b]it[/]")
            await s.until_over()
            await s.pilot.press("ctrl+t")
            assert s.phase == "done"
            assert visible in s.text
            assert not [c for c in s.text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)]

            # The turn must survive its flattening, too.
            await s.ask("again")
            await s.until_over()
            assert s.phase == "done"


async def test_a_long_line_is_all_there() -> None:
    """It is folded over the rows that it needs, between any two characters."""
    with ScriptedEndpoint([f"## Code\n```python\n# {LONG}\n```\n"]) as server:
        async with session_on(server, size=(80, 200)) as s:
            await s.ask("show it")
            await s.until_over()

            frame_and_gutter = 7
            rows = s.text.splitlines()
            assert "".join(row[frame_and_gutter:].rstrip() for row in rows).count("ab[c]") == 2000


async def test_hostile_errors_are_text_too() -> None:
    """An endpoint's own error message is not markup either."""
    reply = Reply(status=500, error=f"{MARKUP} {ANSI}")
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()

            assert "[/nothing]" in s.text
            assert "\x1b" not in s.text
