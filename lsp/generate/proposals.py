"""Proposals: what was generated for a place, kept apart from the document until it is accepted.

A proposal lives from the moment the model is asked. While it is pending (running, offered, or
failed and not yet dismissed) it is listed; after that it is kept a while for hover and for its
document of reasoning.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
import re
import tempfile
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from assistant.context.types import Context
from assistant.events import Section, Verdict
from lsp.documents import Document
from lsp.generate.jobs import Job, located
from lsp.generate.names import SCHEME

if TYPE_CHECKING:
    from lsp.generate.sending import LastSent

KEPT = 20
"""Proposals that are remembered, those that are pending not counted."""


class State(enum.Enum):
    """Where a proposal is in its life."""

    RUNNING = "running"
    OFFERED = "offered"
    EXPLAINED = "explained"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ACCEPTED = "accepted"
    REJECTED = "rejected"

    @property
    def pending(self) -> bool:
        """True while an editor shows it as something to decide on."""
        return self in (State.RUNNING, State.OFFERED, State.FAILED)


@dataclass(slots=True)
class Attempt:
    """One candidate: what was thought, what was written, what the check found."""

    reasoning: list[tuple[Section, str]] = field(default_factory=list)
    """Sections in the order in which they came; pieces of one section are joined."""
    code: str = ""
    verdict: Verdict | None = None
    replaced: bool = False
    pieces: int = 0
    """How many pieces of text came, mostly one for each token."""

    def think(self, section: Section, text: str) -> None:
        """Add a piece of reasoning."""
        if self.reasoning and self.reasoning[-1][0] is section:
            self.reasoning[-1] = section, self.reasoning[-1][1] + text
        else:
            self.reasoning.append((section, text))


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the text of an accepted proposal stands."""

    document: Document
    start: int
    end: int


@dataclass(slots=True)
class Proposal:
    """One answer to one job."""

    job: Job
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    state: State = State.RUNNING
    reason: str = ""
    """Why there is nothing to accept, in a sentence or two."""
    attempts: dict[int, Attempt] = field(default_factory=dict)
    chosen: int | None = None
    """The candidate to use; None while it is being written."""
    current: int = 0
    """The candidate that is being written."""
    verdict: Verdict | None = None
    """The newest one on the chosen candidate."""
    context: Context = field(default_factory=Context)
    preview: str = ""
    """The lines as they will stand in the document or file, once there is something to accept."""
    notes: list[str] = field(default_factory=list)
    anchor: Anchor | None = None
    busy: bool = False
    """It is being applied or checked again."""
    cancel: Callable[[], None] = lambda: None
    """Stops the model and the check."""
    read: bool = False
    """An editor has asked for its page."""
    ticker: Ticker | None = None
    sequence: Iterator[int] = field(default_factory=itertools.count)

    @property
    def uri(self) -> str:
        """The document that it is for."""
        return self.job.document.uri

    @property
    def attempt(self) -> Attempt:
        """The chosen candidate, or the one that is being written."""
        number = self.current if self.chosen is None else self.chosen
        return self.attempts.setdefault(number, Attempt())

    @property
    def code(self) -> str:
        """The code so far, or that of the chosen candidate. Never reasoning."""
        return self.attempt.code

    @property
    def page(self) -> str:
        """The uri of its Markdown document."""
        words = re.sub(r"[^\w]+", "-", self.job.title).strip("-").lower()
        return f"{SCHEME}:/proposal/{self.id}/{quote(words)}.md"

    @property
    def said(self) -> str:
        """The verdict in one sentence; empty when there is none."""
        return "" if self.verdict is None else in_words(self.verdict)

    @property
    def verdict_failed(self) -> bool:
        """True when a check ran and the code did not stand it."""
        return self.verdict is not None and self.verdict.outcome.failed

    def span(self, now: Document) -> tuple[int, int] | None:
        """Where it belongs in a later snapshot; None when that place was changed."""
        if self.anchor is not None:
            if not now.descends_from(self.anchor.document):
                return None
            return now.followed(self.anchor.document.version, self.anchor.start, self.anchor.end)
        here = located(self.job, now)
        return None if here is None else (here.region.start, here.region.end)

    def near(self, now: Document) -> tuple[int, int]:
        """Where it belongs, as nearly as can be said where the place was changed."""
        start, end = self.span(now) or (self.job.region.start, self.job.region.end)
        length = len(now.text.value)
        return min(start, length), min(end, length)


def in_words(verdict: Verdict) -> str:
    """A verdict as one sentence for a person."""
    where = "" if verdict.layer == "none" else f" ({verdict.layer})"
    return f"{verdict.outcome.value}{where}: {verdict.detail}"


class Proposals:
    """The proposals of a session, the oldest first."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Proposal] = OrderedDict()
        self.sent: dict[str, LastSent] = {}
        """What was last sent for a document."""
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        """Pages as files, for editors that can not ask for them."""

    def add(self, proposal: Proposal) -> None:
        """Take one up; the oldest that is decided on is forgotten when there are too many."""
        self._all[proposal.id] = proposal
        decided = [one.id for one in self._all.values() if not one.state.pending]
        for old in decided[: max(0, len(decided) - KEPT)]:
            del self._all[old]

    def get(self, identifier: str) -> Proposal | None:
        """The proposal of an id."""
        return self._all.get(identifier)

    def newest(self, uri: str | None = None, *states: State) -> Proposal | None:
        """The newest of a document, or of all; only of these states when some are given."""
        for one in reversed(self._all.values()):
            if uri in (None, one.uri) and (not states or one.state in states):
                return one
        return None

    def of(self, uri: str) -> list[Proposal]:
        """Those of a document, the oldest first."""
        return [one for one in self._all.values() if one.uri == uri]

    def pending(self, uri: str) -> list[Proposal]:
        """Those of a document that somebody has yet to decide on."""
        return [one for one in self.of(uri) if one.state.pending]

    def running(self) -> list[Proposal]:
        """Those that are being written."""
        return [one for one in self._all.values() if one.state is State.RUNNING]

    def in_the_way(self, job: Job) -> list[Proposal]:
        """Pending ones for lines that `job` is about, too.

        One that failed has nothing to lose: it gives way also where its lines were changed since.
        """
        now, found = job.document, []
        for one in self.pending(now.uri):
            span = one.near(now) if one.state is State.FAILED else one.span(now)
            if span is not None and job.overlaps(*span):
                found.append(one)
        return found


class Ticker:
    """Calls a function soon, and again at most every so often, however often it is asked."""

    def __init__(self, every: float, function: Callable[[], object]) -> None:
        self._every = every
        self._function = function
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Have the function called."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._next - loop.time()), self._call)

    def _call(self) -> None:
        self._timer = None
        self._next = asyncio.get_running_loop().time() + self._every
        self._function()
