"""What the screen shows while an answer comes, and when it is complete."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import ANSWER, CODE, REASONING, session_on
from tui.widgets.past_turn import PastTurn


async def test_reasoning_streams_in_its_four_sections() -> None:
    """While the model thinks, its sections stand under their titles and there is no code pane."""
    reply = Reply(chunks=[REASONING, "## Code\n```python\n", CODE, "```\n"])
    reply.hold(1)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "Zero stays zero" in s.text)

            for title in ("Intent", "Steps", "Formulas", "Edge cases"):
                assert title in s.view.reasoning.body_text
            assert "thinking " in s.view.reasoning.header_text
            assert "thinking" in s.app.status.text
            assert not s.view.code.has_class("-some")
            reply.release()
            await s.until_over()


async def test_reasoning_folds_by_itself_when_the_code_begins() -> None:
    """One line remains of it, which says how long it took and how to see it again."""
    reply = Reply(chunks=[REASONING, "## Code\n```python\n", CODE, "```\n"])
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "return 2 * x" in s.text)

            assert s.view.reasoning.folded
            assert "thought for 0 s" in s.view.reasoning.header_text
            assert "Zero stays zero" not in s.text
            reply.release()
            await s.until_over()


async def test_code_says_that_it_is_unchecked_until_its_verdict() -> None:
    """In words, not by colour alone; afterwards it says what the checks found."""
    reply = Reply.of(ANSWER)
    reply.hold(len(reply.chunks))
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "return 2 * x" in s.text)
            assert "UNCHECKED" in s.view.code.header_text
            assert "UNCHECKED" in s.text

            reply.release()
            await s.until_over()
            assert "UNCHECKED" not in s.text
            assert "parsed" in s.view.code.header_text
            assert s.view.code.view.plain == CODE.rstrip("\n")


async def test_a_failed_check_is_told_with_its_detail() -> None:
    """A name that nothing defines is named below the code."""
    with ScriptedEndpoint([ANSWER.replace("2 * x", "2 * missing_name")]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()

            assert "\u2717" in s.view.code.header_text
            assert "missing_name" in s.view.code.detail_text
            assert "missing_name" in s.text


async def test_code_has_line_numbers_and_colours() -> None:
    """Each line behind its number; keywords are styled."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()

            assert "1 def double(x):" in s.text
            assert "2     return 2 * x" in s.text
            colours = {
                segment.style.color
                for segment in s.view.code.view.render_line(0)
                if segment.style is not None
            }
            assert len(colours) >= 3


async def test_finished_code_is_coloured_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where colouring was too slow to keep up while it streamed."""
    monkeypatch.setattr("tui.highlight.COST_FACTOR", 10**6)
    more = ("def triple(x):\n", "    return 3 * x\n```")
    reply = Reply(chunks=["## Code\n```python\n", CODE, *more])
    for index in range(4):
        reply.hold(index)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("two functions")
            reply.release(0)
            reply.release(1)
            await s.until(lambda: "return 2 * x" in s.text)
            reply.release(2)
            await s.until(lambda: "def triple" in s.text)
            assert not s.view.code.view.lines[-1].spans, "it was to be too slow for this"
            reply.release()
            await s.until_over()

            assert all(line.spans for line in s.view.code.view.lines)


async def test_the_status_line_tells_model_phase_speed_and_tokens() -> None:
    """Every column of the line is filled in the end."""
    with ScriptedEndpoint([Reply.of(ANSWER, size=4)], model="scripted-7b") as server:
        async with session_on(server) as s:
            await s.until(lambda: "ready" in s.app.status.text)
            await s.ask("double a number")
            await s.until_over()

            line = s.app.status.text
            assert line.startswith("scripted-7b")
            assert "done" in line
            assert f"{len(Reply.of(ANSWER, size=4).chunks)} tok" in line
            assert "- tok/s" not in line
            assert "first     - s" not in line


async def test_tokens_per_second_are_live() -> None:
    """The speed and the count are there before the end."""
    reply = Reply.of(ANSWER, size=4)
    reply.hold(20)
    reply.hold(21)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "20 tok" in s.app.status.text)
            assert "- tok/s" in s.app.status.text, "a burst is no speed"
            await s.until(lambda: s.turn.thinking_s > 0.3)
            reply.release(20)
            await s.until(lambda: "21 tok" in s.app.status.text)

            assert "- tok/s" not in s.app.status.text
            reply.release()
            await s.until_over()


class TestFolding:
    """ctrl+t shows and hides the reasoning of the newest answer."""

    async def test_the_key_unfolds_and_folds(self) -> None:
        """After the answer, the whole reasoning comes back and goes again."""
        with ScriptedEndpoint([ANSWER]) as server:
            async with session_on(server) as s:
                await s.ask("double a number")
                await s.until_over()

                await s.pilot.press("ctrl+t")
                assert "Zero stays zero" in s.text
                await s.pilot.press("ctrl+t")
                assert "Zero stays zero" not in s.text

    async def test_folded_reasoning_is_not_drawn(self) -> None:
        """What comes while it is folded costs nothing, and is all there on unfolding."""
        reply = Reply(chunks=["## Intent\nOne. ", "Two. ", "Three.\n", ANSWER.partition("##")[2]])
        reply.hold(1)
        reply.hold(3)
        with ScriptedEndpoint([reply]) as server:
            async with session_on(server) as s:
                await s.ask("count")
                await s.until(lambda: "One." in s.text)
                await s.pilot.press("ctrl+t")
                assert s.view.reasoning.folded
                drawn = s.view.reasoning.body_updates
                reply.release(1)
                await s.until(lambda: "Three." in s.turn.shown.sections[0][1])
                s.app._draw()
                assert s.view.reasoning.body_updates == drawn

                await s.pilot.press("ctrl+t")
                assert "One. Two. Three." in s.text
                reply.release()
                await s.until_over()

    async def test_the_user_s_choice_outlasts_the_beginning_of_the_code(self) -> None:
        """Who has folded and unfolded it while it streamed still sees it beside the code."""
        reply = Reply(chunks=[REASONING, f"## Code\n```python\n{CODE}```\n"])
        reply.hold(1)
        with ScriptedEndpoint([reply]) as server:
            async with session_on(server) as s:
                await s.ask("double a number")
                await s.until(lambda: "Zero stays zero" in s.text)
                await s.pilot.press("ctrl+t", "ctrl+t")
                reply.release()
                await s.until_over()

                assert not s.view.reasoning.folded
                assert "Zero stays zero" in s.text

    async def test_a_click_on_the_header_does_the_same(self) -> None:
        """For those who use the mouse."""
        with ScriptedEndpoint([ANSWER]) as server:
            async with session_on(server) as s:
                await s.ask("double a number")
                await s.until_over()

                await s.pilot.click(s.view.reasoning, offset=(3, 0))
                assert "Zero stays zero" in s.text


class TestSeveralTurns:
    """Earlier questions and answers stay above the newest."""

    async def test_a_click_unfolds_the_reasoning_of_an_earlier_answer(self) -> None:
        """It is kept, though nothing of it is drawn."""
        second = ANSWER.replace("Zero stays zero", "Nothing special")
        with ScriptedEndpoint([ANSWER, second]) as server:
            async with session_on(server) as s:
                for text in ("first", "second"):
                    await s.ask(text)
                    await s.until_over()
                assert "Zero stays zero" not in s.text
                (past,) = s.app.query(PastTurn)
                await s.pilot.click(past)
                assert "Zero stays zero" in s.text
                await s.pilot.click(past)

                assert "Zero stays zero" not in s.text

    async def test_what_an_earlier_check_found_stays_readable(self) -> None:
        """Not only that it failed."""
        wrong = ANSWER.replace("2 * x", "2 * missing_name")
        with ScriptedEndpoint([wrong, ANSWER]) as server:
            async with session_on(server) as s:
                for text in ("first", "second"):
                    await s.ask(text)
                    await s.until_over()

                assert "missing_name is not defined" in s.text

    async def test_earlier_answers_stay_visible_as_one_widget_each(self) -> None:
        """Question, code and verdict of the first turn are above the second."""
        second = ANSWER.replace("double", "triple").replace("2 * x", "3 * x")
        with ScriptedEndpoint([ANSWER, second]) as server:
            async with session_on(server) as s:
                await s.ask("double a number")
                await s.until_over()
                await s.ask("triple a number")
                await s.until_over()

                (past,) = s.app.query(PastTurn)
                assert not past.children
                for text in ("double a number", "return 2 * x", "parsed", "return 3 * x"):
                    assert text in s.text
                assert s.text.index("return 2 * x") < s.text.index("return 3 * x")

    async def test_a_conversation_adds_one_widget_a_turn(self) -> None:
        """So that ten answers cost little more to lay out than one."""
        with ScriptedEndpoint([ANSWER]) as server:
            async with session_on(server) as s:
                counts = []
                for number in range(5):
                    await s.ask(f"question {number}")
                    await s.until_over()
                    counts.append(len(s.app.query("*")))

        steps = [after - before for before, after in pairwise(counts)]
        assert steps == [1, 1, 1, 1]


@pytest.mark.parametrize("columns", [20, 40, 80, 160])
async def test_any_width_shows_all_of_the_code(columns: int) -> None:
    """A long line is folded, never cut off, and its number stands once."""
    long_line = "numbers = [" + ", ".join(str(n) for n in range(100)) + "]\n"
    with ScriptedEndpoint([f"## Code\n```python\n{long_line}```\n"]) as server:
        async with session_on(server, size=(columns, 60)) as s:
            await s.ask("count")
            await s.until_over()

            view = s.view.code.view
            rows = [view.render_line(y).text for y in range(view.size.height)]
            assert "".join(row[4:].rstrip() for row in rows).replace(" ", "") == (
                long_line.strip().replace(" ", "")
            )
            assert [row[:4].strip() for row in rows] == ["1"] + [""] * (len(rows) - 1)
