"""How `ask` shows the events of an answer: to people, or as JSON lines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol

from assistant.answer import PromptProgress
from assistant.cli import terminal
from assistant.context import explain
from assistant.events import Code, Done, Event, Failed, Reasoning, Section, Verdict, to_json

if TYPE_CHECKING:
    from assistant.context.explain import Sent

CHECK_FAILED = 3


class Showing(Protocol):
    """What `ask` needs of either."""

    def connecting(self) -> None:
        """The engine may have to be started, which takes a moment."""

    def still_connecting(self) -> None:
        """It takes more than a moment."""

    def say(self, line: str) -> None:
        """Something to know before the answer."""

    def sent(self, sent: Sent) -> None:
        """Show what goes to the model."""

    def event(self, event: Event | PromptProgress) -> None:
        """Show one event."""

    def failed(self, reason: str) -> None:
        """There was an error outside the answer; it is printed by `main`."""

    def exit_code(self) -> int:
        """The contract's exit code, once the last event was shown."""


class _Outcome:
    """The part that both share: what the events mean for the exit code."""

    def __init__(self) -> None:
        self.verdicts: dict[int, Verdict] = {}
        self.last: Done | Failed | None = None
        self.current = 0
        """The candidate that was told of last."""

    def note(self, event: Event | PromptProgress) -> None:
        if not isinstance(event, PromptProgress):
            self.current = event.candidate
        if isinstance(event, Verdict):
            self.verdicts[event.candidate] = event
        elif isinstance(event, Done | Failed):
            self.last = event

    def exit_code(self) -> int:
        if not isinstance(self.last, Done):
            return 1
        verdict = self.verdicts.get(self.last.candidate)
        return CHECK_FAILED if verdict is not None and verdict.outcome.failed else 0


class JsonLines(_Outcome):
    """Every event as one JSON object on a line of stdout."""

    def connecting(self) -> None:
        """Nothing: stdout carries events only."""

    def still_connecting(self) -> None:
        """Nothing here either."""

    def say(self, line: str) -> None:
        """On stderr: it is no event."""
        terminal.say(terminal.visible(line))

    def sent(self, sent: Sent) -> None:
        """An object like the events."""
        print(json.dumps(explain.as_json(sent)), flush=True)

    def event(self, event: Event | PromptProgress) -> None:
        """Print the event; progress in the prompt is none of the contract's."""
        self.note(event)
        if isinstance(event, PromptProgress):
            return
        # In ASCII, so that no locale can spoil it.
        print(json.dumps(to_json(event)), flush=True)
        if isinstance(event, Failed):
            say_failure(event.reason)

    def failed(self, reason: str) -> None:
        """The terminal event, unless there was one."""
        if self.last is None:
            self.last = Failed(self.current, reason)
            print(json.dumps(to_json(self.last)), flush=True)


class People(_Outcome):
    """Reasoning on stderr as it comes, the code on stdout after its verdict.

    Args:
        stream: print the code as it comes instead.
    """

    def __init__(self, *, stream: bool = False) -> None:
        super().__init__()
        self.stream = stream
        self.code: dict[int, list[str]] = {}
        self.section: Section | None = None
        self.attempts: dict[int, int] = {}
        """When there are several: which attempt, from 1, a candidate belongs to."""
        self._attempt = 0
        self.status = terminal.StatusLine()
        self._line_open = False

    def connecting(self) -> None:
        """Say why nothing happens for a moment."""
        self.status.show("connecting to the engine...")

    def still_connecting(self) -> None:
        """Say it on a line that stays, as there may be no other sign of life for a while."""
        self.status.clear()
        terminal.say("The engine is starting; a large model takes a while to load...")

    def say(self, line: str) -> None:
        """On a line of its own."""
        self.status.clear()
        terminal.say(terminal.visible(line))

    def sent(self, sent: Sent) -> None:
        """To the letter, but for characters that would command the terminal."""
        self.status.clear()
        terminal.say(terminal.visible(explain.explained(sent)))

    def event(self, event: Event | PromptProgress) -> None:
        """Show the event where it belongs."""
        self.note(event)
        if self._attempt and isinstance(event, Reasoning | Code):
            self.attempts[event.candidate] = self._attempt
        match event:
            case PromptProgress():
                self._progress(event)
            case Reasoning(section=section, text=text):
                self._reasoning(section, text)
            case Code():
                self._code(event)
            case Verdict():
                self._verdict(event)
            case Done():
                self._done(event)
            case Failed(reason=reason):
                self._end_line()
                say_failure(reason)

    def failed(self, reason: str) -> None:
        """`main` prints it; here only the unfinished line ends."""
        self._end_line()

    def _progress(self, event: PromptProgress) -> None:
        if not event.total:  # one of several candidates begins
            self._end_line()
            self.section, self._attempt = None, event.attempt
            terminal.say(terminal.bold(f"Candidate {event.attempt} of {event.of}"))
            return
        read = max(event.cached, event.processed)
        self.status.show(f"reading the prompt: {read} of {event.total} tokens")

    def _reasoning(self, section: Section, text: str) -> None:
        self.status.clear()
        if section is not self.section:
            self._end_line()
            if section is not Section.OTHER and text.strip():
                terminal.say(terminal.bold(section.value))
            self.section = section
        if text.strip() or self._line_open:
            terminal.say(terminal.dim(terminal.visible(text)), end="")
            self._line_open = not text.endswith("\n")

    def _code(self, event: Code) -> None:
        self._end_line()
        if event.replaces is not None and self.stream:
            terminal.say("(the code above was a draft; the answer begins here)")
        self.code.setdefault(event.candidate, []).append(event.text)
        if self.stream:
            _print(event.text)
        else:
            pieces = self.code[event.candidate]
            lines = "".join(pieces).count("\n")
            self.status.show(f"writing code: {lines} lines (unchecked)")

    def _verdict(self, event: Verdict) -> None:
        self._end_line()
        line = terminal.verdict_line(event.outcome.value, event.layer, event.detail)
        terminal.say(terminal.visible(f"verdict{self._whose(event.candidate)}: {line}"))

    def _done(self, event: Done) -> None:
        self._end_line()
        stats = event.stats
        terminal.say(
            terminal.dim(
                f"{stats.completion_tokens} tokens, {stats.tokens_per_second:.1f} a second, "
                f"the first after {stats.ttft_ms / 1000:.2f} s"
            )
        )
        code = "".join(self.code.get(event.candidate, ()))
        if not self.stream:
            _print(code)
        if not code.endswith("\n"):
            _print("\n")

    def _whose(self, candidate: int) -> str:
        attempt = self.attempts.get(candidate)
        return f" on candidate {attempt}" if attempt else ""

    def _end_line(self) -> None:
        self.status.clear()
        if self._line_open:
            terminal.say()
            self._line_open = False


def say_failure(reason: str) -> None:
    """An error that ended the answer, in the form in which `main` prints errors."""
    terminal.say(f"{terminal.bold('Error:')} {reason}")


def _print(text: str) -> None:
    """Code to stdout: exactly as it is into files and pipes, harmless on a terminal."""
    sys.stdout.write(terminal.visible(text) if terminal.is_terminal(sys.stdout) else text)
    sys.stdout.flush()
