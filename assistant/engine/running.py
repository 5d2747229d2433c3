"""A request in work: which tokens are to be evaluated, what was said, why it ends.

`pending` are tokens that are known and not evaluated yet: first the prompt, then the token that
was sampled last, or a text that was forced. When none is left the next token is sampled. So a
request can be interrupted after any call, its sequence be dropped, and go on later.
"""

from __future__ import annotations

import array
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from assistant.engine.cache import Kept
from assistant.engine.output import BudgetWatch, ForcedTexts, StopFinder
from assistant.engine.sampling import Sampler
from assistant.engine.speculation import Speculation
from assistant.engine.types import (
    CancelToken,
    Finished,
    FinishReason,
    Output,
    Prepared,
    Priority,
    PromptProgress,
    Text,
    TokenProbability,
)
from assistant.engine.vocabulary import TextDecoder, Vocabulary
from assistant.errors import AssistantError

Sink = Callable[[Output | AssistantError], None]


@dataclass(eq=False, slots=True)
class Ticket:
    """A request on its way through the scheduler."""

    request: Prepared
    sink: Sink
    """Takes the outputs; called in the scheduler's thread, the last one is a `Finished` or an
    error."""
    priority: Priority = Priority.INTERACTIVE
    source: str = ""
    """Client and document: a newer inline request with the same takes the place of this one."""
    cancel: CancelToken = field(default_factory=CancelToken)
    submitted: float = field(default_factory=time.perf_counter)
    arrived: float = field(default_factory=time.perf_counter)
    """When it was asked for: which of two inline requests is the newer."""
    on_end: Callable[[Ticket, Finished | AssistantError], None] | None = None
    """Told of the last output before it goes out."""
    _claimed: threading.Lock = field(default_factory=threading.Lock)

    def claim(self) -> bool:
        """True for the first caller: who begins it, or ends it before it has begun."""
        return self._claimed.acquire(blocking=False)

    def finish(self, last: Finished | AssistantError) -> None:
        """Send the last output."""
        if self.on_end is not None:
            self.on_end(self, last)
        self.sink(last)


def never_started(ticket: Ticket) -> Finished:
    """The end of a request that was cancelled before its first step."""
    waited = (time.perf_counter() - ticket.submitted) * 1000
    return Finished(
        FinishReason.CANCELLED, len(ticket.request.tokens), 0, 0, 0.0, 0.0, queue_ms=waited
    )


class Running:
    """The state of one request.

    Args:
        ticket: what is asked.
        lib: the checked library.
        vocabulary: of the model.
        room: tokens of prompt and answer that fit.
    """

    def __init__(self, ticket: Ticket, lib: Any, vocabulary: Vocabulary, room: int) -> None:
        request = ticket.request
        self.ticket = ticket
        self.request = request
        self.priority = ticket.priority
        self.prompt = array.array("i", request.tokens)
        self.known = self.prompt[:]
        """All tokens so far, evaluated or not."""
        self.kept: Kept | None = None
        self.protected = False
        """Its part was aborted once: the next call with it runs to its end."""
        self.cached = 0
        self.sampler = Sampler(lib, vocabulary, request)
        self.finished: FinishReason | None = None
        self.count = 0
        self.speculation: Speculation | None = None
        self.plain_next = False
        """The next call is made without guesses."""
        self.drafted = self.accepted = 0
        self._vocabulary = vocabulary
        self._room = room
        self._decoder = TextDecoder()
        self._stops = StopFinder(request.limits.stop)
        self._forced = ForcedTexts(request.limits.forced, request.before)
        self._budget = BudgetWatch(request.limits.budget)
        self._probabilities: list[TokenProbability] = []
        self._started = self._evaluated = 0.0

    @property
    def pending(self) -> int:
        """Tokens that are to be evaluated."""
        return len(self.known) - self.done

    @property
    def done(self) -> int:
        """Tokens that the memory holds."""
        return len(self.kept) if self.kept is not None else 0

    @property
    def left(self) -> int:
        """Tokens that it may still generate."""
        return min(self.request.max_tokens - self.count, self._room - len(self.known) + 1)

    @property
    def begun(self) -> bool:
        """True once it had a sequence."""
        return bool(self._started)

    @property
    def evaluating(self) -> bool:
        """True until the first token was sampled."""
        return not self._evaluated

    def begin(self, kept: Kept) -> None:
        """It has a sequence; `kept` may hold a beginning of it."""
        self.kept = kept
        if not self._started:
            self._started = time.perf_counter()
            self.progress()

    def progress(self) -> None:
        """Tell how much of the prompt is read."""
        if self.evaluating:
            total = len(self.prompt)
            done = min(self.done, total)
            self.ticket.sink(PromptProgress(total, min(self.cached, total), done))

    def take(self, token: int, probability: TokenProbability | None = None) -> bool:
        """The model has chosen `token`; say it, and find what follows.

        Returns:
            True when `token`, and nothing else, is what is to be evaluated next.
        """
        if not self._evaluated:
            self._evaluated = time.perf_counter()
        if probability is not None:
            self._probabilities.append(probability)
        if self._vocabulary.is_end(token) and not self.request.limits.ignore_end:
            self._end(FinishReason.STOP, self._stops.close())
            return False
        known = self.sampler.accept(token)
        piece = self._decoder.feed(self._vocabulary.piece(token)[known:])
        follow, piece = self._continued(token, piece)
        self.count += len(follow)
        text = self._stops.feed(piece)
        if self._stops.found:
            self._end(FinishReason.STOP, text)
        elif self._at_limit(len(follow), piece):
            self._end(FinishReason.LENGTH, text + self._stops.close())
        else:
            self._say(text)
            self.known.extend(follow)
            return len(follow) == 1 and follow[0] == token
        return False

    def _continued(self, token: int, piece: str) -> tuple[list[int], str]:
        """What follows `token`, and the text of all that: itself, or a text that is forced."""
        addition = self._forced.feed(piece)
        closing: str | None = None
        if addition is not None:
            kept = piece[: addition.keep]
            self._budget.saw(kept + addition.text)
        elif (closing := self._budget.feed(piece, self.count + 1)) is not None:
            kept, addition = piece, self._forced.feed(closing)
            closing = closing if addition is None else closing[: addition.keep]
        else:
            return [token], piece
        # A token that reaches beyond the place is replaced by its part before it.
        head = [token] if kept == piece else self._vocabulary.tokenize(kept)[: self.left]
        text = addition.text if addition is not None else ""
        tail, text = self._put_in(closing or "", text, self.left - len(head))
        self._decoder = TextDecoder()
        return head + tail, kept + text

    def _put_in(self, closing: str, text: str, room: int) -> tuple[list[int], str]:
        """The tokens of two texts that follow now, and what they say: `room` of them at most."""
        tokens = self._vocabulary.tokenize(closing, parse_special=True) if closing else []
        tokens += self._vocabulary.tokenize(text) if text else []
        said = closing + text
        if len(tokens) > room:
            tokens = tokens[:room]
            said = TextDecoder().feed(b"".join(map(self._vocabulary.piece, tokens)))
        for forced in tokens:
            self.sampler.accept(forced)
        return tokens, said

    def _at_limit(self, coming: int, piece: str) -> bool:
        if self.count >= self.request.max_tokens or len(self.known) + coming > self._room:
            return True
        line_ms = self.request.limits.line_ms
        if line_ms is None or "\n" not in piece:
            return False
        return (time.perf_counter() - self._evaluated) * 1000 > line_ms

    def _say(self, text: str) -> None:
        if text or self._probabilities:
            told, self._probabilities = tuple(self._probabilities), []
            self.ticket.sink(Text(text, self.count, told))

    def _end(self, reason: FinishReason, text: str) -> None:
        self._say(text)
        self.finished = reason

    def end(self, reason: FinishReason) -> None:
        """It is over, for a reason from outside."""
        self.finished = self.finished or reason

    def close(self) -> None:
        """Free what belongs to llama.cpp."""
        self.sampler.close()

    def summary(self) -> Finished:
        """The end, and what it cost."""
        now = time.perf_counter()
        started = self._started or now
        evaluated = self._evaluated or now
        return Finished(
            reason=self.finished or FinishReason.CANCELLED,
            prompt_tokens=len(self.prompt),
            cached_tokens=min(self.cached, len(self.prompt)),
            completion_tokens=self.count,
            prompt_ms=(evaluated - started) * 1000,
            predicted_ms=(now - evaluated) * 1000,
            queue_ms=(started - self.ticket.submitted) * 1000,
            drafted=self.drafted,
            accepted=self.accepted,
            stop=self._stops.found_stop,
        )
