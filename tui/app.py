"""The application: keys, and the way of a prompt to the engine and of the answer to the screen.

An answer runs in an asyncio worker that feeds a `Turn`; a timer shows the turn at most eight
times a second. Nothing here blocks the loop, and no token draws anything by itself.
"""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.worker import Worker, get_current_worker

from assistant.answer import AnswerOptions
from tui.answering import answer_turn, trouble_of
from tui.clipboard import copy_locally, local_commands
from tui.engine_link import Connect, EngineLink
from tui.messages import PromptHeld, PromptSubmitted
from tui.turn import Phase, Turn
from tui.widgets.code_pane import count_lines
from tui.widgets.help import HelpScreen
from tui.widgets.hints import ARMED_QUIT, ARMED_STOP, BUSY, IDLE, Hints
from tui.widgets.prompt import Prompt
from tui.widgets.status import StatusLine
from tui.widgets.transcript import Transcript

FLUSH_INTERVAL_S = 0.125
NOTICE_S = 3.0
COST_FACTOR = 10
"""The screen is drawn again only after ten times what the last drawing took, layout included."""
LONGEST_PAUSE_S = 2.0


class AssistantApp(App[int]):
    """Prompt, transcript, status.

    Args:
        connect: makes the connection to the engine.
        options: how answers are generated and checked.
    """

    CSS_PATH = "tui.tcss"
    TITLE = "assistant"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Twice: stop the answer; what has come stays"),
        Binding("alt+escape", "stop", "Stop the answer (a fast double escape)"),
        Binding("ctrl+t", "toggle_reasoning", "Show or hide the reasoning", priority=True),
        Binding("ctrl+end", "follow", "Go to the end and follow it", priority=True),
        Binding("f1", "help", "This list", priority=True),
        Binding("ctrl+q", "quit", "Quit", priority=True),
    ]

    def __init__(self, connect: Connect, options: AnswerOptions) -> None:
        super().__init__()
        self.link = EngineLink(connect)
        self.options = options
        self.turn: Turn | None = None
        self.transcript = Transcript()
        self.prompt = Prompt()
        self.status = StatusLine()
        self.hints = Hints()
        self._phase = Phase.STARTING
        self._answering: Worker[Any] | None = None
        self._ticker: Timer
        self._next_draw = 0.0
        self._said = ""
        self._silence: Timer | None = None

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.transcript
        yield self.prompt
        yield self.status
        yield self.hints

    def on_mount(self) -> None:
        """Start the engine while the user is still typing."""
        self.prompt.focus()
        self._ticker = self.set_interval(FLUSH_INTERVAL_S, self._tick, pause=True)
        self._draw()
        self.warm_up()

    async def on_unmount(self) -> None:
        """Hang up; Textual has cancelled the workers by now, the one that answers among them."""
        await self.link.drop()

    # The engine

    @work(group="engine")
    async def warm_up(self) -> None:
        """Connect before the first prompt; a failure is shown, and the first prompt tries again."""
        trouble = await trouble_of(self.link.get())
        self._phase = Phase.FAILED if trouble else Phase.READY
        if trouble and self.turn is None:
            self.transcript.notify_failure(trouble)
        self._draw()

    @property
    def busy(self) -> bool:
        """True from the sending of a prompt to the end of its answer."""
        return self.turn is not None and not self.turn.phase.over

    @on(PromptSubmitted)
    def ask(self, message: PromptSubmitted) -> None:
        """Begin a turn; the prompt holds back the next one until this one is over."""
        self.turn = Turn(message.text)
        self._answering = None
        self.transcript.notify_failure("")
        self.answer(self.turn)

    @on(PromptHeld)
    def tell_held(self) -> None:
        """Say why nothing was sent."""
        self.say("An answer is being written: your prompt stays here. esc esc stops it.")

    @work(group="answer")
    async def answer(self, turn: Turn) -> None:
        """Run one turn to its end, however it ends."""
        # A worker that is cancelled before its first step would never come to its `finally`:
        # until here, stopping only marks the turn.
        self._answering = get_current_worker()
        try:
            await self.transcript.begin(turn)
            self._ticker.resume()
            if not turn.phase.over:
                await answer_turn(turn, self.link, self.options)
        finally:
            await self._finish(turn)

    async def _finish(self, turn: Turn) -> None:
        """The last look at a turn: nothing may be lost, and the prompt least of all."""
        if not self.is_running:
            return
        self._ticker.pause()
        self.hush()
        self.prompt.held = False
        if turn.phase is Phase.FAILED or (turn.phase is Phase.STOPPED and turn.empty):
            self.prompt.put_back(turn.question)
        if turn.phase is Phase.STOPPED and turn.empty:
            await self.transcript.drop()
        self._draw()

    # The screen

    def _tick(self) -> None:
        if time.monotonic() >= self._next_draw:
            self._next_draw = math.inf
            cost = time.thread_time()
            self._draw()
            self.call_after_refresh(self._drawn, cost)

    def _drawn(self, cost: float) -> None:
        # Processor time, not time on the clock: while the engine has the cores, drawing takes
        # longer without costing more.
        pause = COST_FACTOR * (time.thread_time() - cost)
        self._next_draw = time.monotonic() + min(pause, LONGEST_PAUSE_S)

    def _draw(self) -> None:
        phase = self._phase if self.turn is None else self.turn.phase
        model = self.link.model.id if self.link.model is not None else ""
        self.status.show(model, phase, self.turn)
        self.hints.show(self._said or (BUSY if self.busy else IDLE))
        if self.transcript.current is not None:
            self.transcript.current.show()

    # Stopping and leaving

    def say(self, text: str) -> None:
        """Put a short notice in the bottom line for a moment; a toast would cover the prompt."""
        self.hush()
        self._said = text
        self._silence = self.set_timer(NOTICE_S, self.hush)
        self._draw()

    def hush(self) -> None:
        """Take the notice away; what it armed is disarmed."""
        if self._silence is not None:
            self._silence.stop()
        self._said, self._silence = "", None
        self._draw()

    def action_escape(self) -> None:
        """The first press arms, the second within three seconds stops."""
        if not self.busy:
            self.screen.clear_selection()
        elif self._said == ARMED_STOP:
            self.action_stop()
        else:
            self.say(ARMED_STOP)

    def action_stop(self) -> None:
        """Stop the answer: the stream is closed, which makes the engine stop too."""
        if self.turn is not None and self.busy:
            self.turn.stop()
            if self._answering is not None:
                self._answering.cancel()

    async def action_interrupt(self) -> None:
        """What ctrl+c means depends on what there is to lose."""
        selected = self.prompt.selected_text or self.screen.get_selected_text()
        if selected:
            self._copy(selected)
        elif self.prompt.text.strip():
            self.prompt.clear_draft()
        elif self.busy:
            self.action_stop()
        elif self._said == ARMED_QUIT:
            await self.action_quit()
        else:
            self.say(ARMED_QUIT)

    async def action_quit(self) -> None:
        """Leave; an answer that is still being written is stopped."""
        self.exit(0)

    # Reading

    def action_toggle_reasoning(self) -> None:
        """Fold or unfold the reasoning of the newest answer."""
        if self.transcript.current is not None:
            self.transcript.current.reasoning.toggle()

    def action_scroll(self, direction: int) -> None:
        """Scroll by a page; the prompt keeps the focus."""
        if direction < 0:
            self.transcript.release_anchor()
            self.transcript.scroll_page_up(animate=False)
        else:
            self.transcript.scroll_page_down(animate=False)

    def action_follow(self) -> None:
        """Go to the end and stay there while text comes."""
        self.transcript.anchor()

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(HelpScreen([*Prompt.BINDINGS, *self.BINDINGS]))

    # Copying

    def action_copy_code(self) -> None:
        """Copy the newest code, byte for byte, and say what is known about it."""
        turn = self.transcript.newest_with_code()
        if turn is None:
            self.say("There is no code to copy yet.")
            return
        code = turn.shown.code
        self._copy(code)
        verdict = turn.shown.verdict
        known = verdict.outcome.value if verdict is not None else "UNCHECKED"
        if not turn.phase.over and turn.phase is not Phase.CHECKING:
            known += ", still being written"
        self.say(f"Copied {count_lines(len(code.splitlines()))} ({known}).")

    def _copy(self, text: str) -> None:
        self.copy_to_clipboard(text)
        for command in local_commands():
            self.run_worker(copy_locally(text, command), group="clipboard")


def main() -> int:
    """Run the terminal interface on the engine that the settings name; the exit code."""
    from tui.launch import run

    return run()
