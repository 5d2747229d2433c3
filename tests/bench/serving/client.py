"""The measuring client: raw sockets, one thread, nothing read before the clock is.

While answers stream it only receives bytes and notes when they came; what they say is parsed after
the last of them has ended. The same code measures both sides.
"""

from __future__ import annotations

import bisect
import json
import re
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PATIENCE = 1800.0
_EVENT = b"data: "


class Unanswered(Exception):
    """A server refused a request, failed, or said nothing for very long."""


@dataclass(eq=False)
class Stream:
    """One request under way: what came back so far, and when."""

    connection: socket.socket
    sent: float
    """When the request was handed to the system, by `time.perf_counter`."""
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    events: int = 0
    """Server-sent events that came, more or less: enough to wait for, not to measure with."""
    ended: bool = False

    def cancel(self) -> None:
        """Close the connection, as a client does that wants no more."""
        self.connection.close()
        self.ended = True


@dataclass(frozen=True)
class Answer:
    """A finished stream."""

    sent: float
    times: tuple[float, ...]
    """When each event with text arrived."""
    text: str
    tokens: int
    prompt_tokens: int
    """Of the whole prompt, ..."""
    evaluated: int
    """... and how many of them were evaluated; the others were in the cache."""
    prompt_ms: float
    """What the server says that the prompt took."""
    drafted: int = 0
    accepted: int = 0

    @property
    def first_ms(self) -> float:
        """From sending to the first text."""
        return (self.times[0] - self.sent) * 1000

    @property
    def token_ms(self) -> float:
        """Between tokens, on average: from the first text to the last.

        An answer that came in one or two pieces is measured as a whole.
        """
        if len(self.times) < 3:
            return self.total_ms / max(1, self.tokens)
        return (self.times[-1] - self.times[0]) * 1000 / max(1, self.tokens - 1)

    @property
    def total_ms(self) -> float:
        """From sending to the last text."""
        return (self.times[-1] - self.sent) * 1000

    def gaps_ms(self) -> list[float]:
        """Between neighbouring events with text."""
        pairs = zip(self.times, self.times[1:], strict=False)
        return [(later - earlier) * 1000 for earlier, later in pairs]


class Client:
    """Requests to one server on a unix socket, any number of them at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._selector = selectors.DefaultSelector()

    def send(self, body: dict[str, Any], route: str = "/v1/completions") -> Stream:
        """Send a request that is answered in a stream."""
        data = json.dumps({"stream": True, **body}).encode()
        head = f"POST {route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._path))
        sent = time.perf_counter()
        connection.sendall(head.encode() + data)
        stream = Stream(connection, sent)
        self._selector.register(connection, selectors.EVENT_READ, stream)
        return stream

    def pump(self, until: Callable[[], bool], seconds: float = _PATIENCE) -> bool:
        """Receive until the condition holds; False when the time was over before.

        The condition is asked after each arrival, and at the end.
        """
        end = time.perf_counter() + seconds
        while not until():
            rest = end - time.perf_counter()
            if rest <= 0:
                return False
            if not self._selector.get_map():
                time.sleep(rest)
                continue
            for key, _ in self._selector.select(rest):
                self._receive(key.data)
        return True

    def cancel(self, stream: Stream) -> None:
        """End a request by closing its connection."""
        self._selector.unregister(stream.connection)
        stream.cancel()

    def finish(self, streams: Iterable[Stream]) -> list[Answer]:
        """Wait for the ends of streams and read them.

        Raises:
            Unanswered: one of them failed.
        """
        waited = list(streams)
        if not self.pump(lambda: all(stream.ended for stream in waited)):
            raise Unanswered(f"no end within {_PATIENCE:.0f} seconds")
        return [parse(stream) for stream in waited]

    def ask(self, body: dict[str, Any], route: str = "/v1/completions") -> Answer:
        """One request from its beginning to its end."""
        return self.finish([self.send(body, route)])[0]

    def _receive(self, stream: Stream) -> None:
        try:
            data = stream.connection.recv(1 << 16)
        except ConnectionError:  # parsing tells that the end is missing
            data = b""
        now = time.perf_counter()
        if data:
            stream.chunks.append((now, data))
            stream.events += data.count(_EVENT)
            return
        self._selector.unregister(stream.connection)
        stream.connection.close()
        stream.ended = True


def parse(stream: Stream) -> Answer:
    """Read a finished stream.

    Raises:
        Unanswered: it is an error, or broke off.
    """
    times, texts, last = [], [], {}
    for when, event in _events(stream):
        if "error" in event:
            raise Unanswered(str(event["error"]))
        for choice in event.get("choices", ()):
            if text := choice.get("text") or (choice.get("delta") or {}).get("content"):
                times.append(when)
                texts.append(text)
        if "timings" in event:
            last = event["timings"]
    if not last or not times:
        raise Unanswered(f"a stream without {'text' if last else 'an end'}")
    return Answer(
        sent=stream.sent,
        times=tuple(times),
        text="".join(texts),
        tokens=last["predicted_n"],
        prompt_tokens=last["prompt_n"] + last["cache_n"],
        evaluated=last["prompt_n"],
        prompt_ms=last["prompt_ms"],
        drafted=last.get("draft_n", 0),
        accepted=last.get("draft_n_accepted", 0),
    )


def _events(stream: Stream) -> Iterator[tuple[float, dict[str, Any]]]:
    """The objects of a stream, each with the time at which its last byte came."""
    whole = b"".join(data for _, data in stream.chunks)
    ends, position = [], 0
    for _, data in stream.chunks:
        position += len(data)
        ends.append(position)
    head, _, _ = whole.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise Unanswered(whole[-2000:].decode(errors="replace") or "the connection was closed")
    # The marks between the pieces of a chunked body are lines of their own, between events.
    for match in re.finditer(rb"data: (\{.*\})\n", whole):
        yield stream.chunks[bisect.bisect_left(ends, match.end())][0], json.loads(match[1])
