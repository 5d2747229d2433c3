"""A model, or what stands behind an endpoint, may write anything; the screen shows it as text."""

from __future__ import annotations

import pytest

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import Session, session_on

MARKUP = "[bold red]x[/] [/nothing] [@click=app.quit]press[/] [[ ]] \\[b]"
ANSI = "\x1b[31mred\x1b[2J\x1b]0;title\x07\x9b5n"
WIDE = "世界 한국어 \u2764\ufe0f 👩\u200d👩\u200d👧 e\u0301"
RIGHT_TO_LEFT = "שלום مرحبا \u202edesrever\u202c \u2066x\u2069"
CONTROLS = "a\x00b\x08c\x7fd\x0be\u2028f\rg"
LONG = "ab[c]" * 2000

HOSTILE = {
    "markup": MARKUP,
    "ansi": ANSI,
    "wide": WIDE,
    "right to left": RIGHT_TO_LEFT,
    "controls": CONTROLS,
    "a line of 10 000 characters": LONG,
}


async def show(text: str, where: str) -> Session:
    """Run one answer with `text` in its reasoning or its code, and leave the screen as it ended."""
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
            await s.pilot.pause()
            shown = s.text
            assert s.phase == "done"
            assert s.app.is_running
            assert not [c for c in shown if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)]
            # The turn must also survive its flattening, and a second question.
            await s.ask("again")
            await s.until_over()
            assert s.phase == "done"
            s.shown = shown  # type: ignore[attr-defined]
    return s


@pytest.mark.parametrize("where", ["reasoning", "code"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_text_breaks_the_screen(text: str, where: str) -> None:
    """No control character reaches the terminal, and the application goes on."""
    await show(text, where)


@pytest.mark.parametrize("where", ["reasoning", "code"])
async def test_markup_is_text(where: str) -> None:
    """Brackets are shown as written, and a link in them does nothing."""
    session = await show(MARKUP, where)

    assert MARKUP in session.shown  # type: ignore[attr-defined]


@pytest.mark.parametrize("where", ["reasoning", "code"])
async def test_escape_sequences_are_made_visible(where: str) -> None:
    """What would have coloured or cleared the terminal can be read."""
    session = await show(ANSI, where)

    assert "\u241b[31mred\u241b[2J\u241b]0;title\u2407" in session.shown  # type: ignore[attr-defined]


async def test_bidirectional_controls_can_not_reorder_code() -> None:
    """Code reads as it runs: the controls are shown by their code points."""
    session = await show(RIGHT_TO_LEFT, "code")

    assert "<U+202E>desrever<U+202C>" in session.shown  # type: ignore[attr-defined]


async def test_a_long_line_is_all_there() -> None:
    """It is folded over the rows that it needs."""
    session = await show(LONG, "code")

    frame_and_gutter = 7
    rows = session.shown.splitlines()  # type: ignore[attr-defined]
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
