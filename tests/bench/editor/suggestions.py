"""From a key to the ghost text: cold, warm and cached, and what of it is the server's own time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from assistant.client import Connection, FillRequest
from assistant.inline import Manner, Place, Request, request_for, suggest
from assistant.inline.naming import names_of
from tests.bench.editor.texts import Spot, spots
from tests.bench.editor.wire import Typing, Wire

SEED = 7
FOLDER = Path("/bench")
PATIENCE = 3.0

Ask = Callable[[], Awaitable[None]]


@dataclass
class Times:
    """Milliseconds of each way."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)
    straight: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    nothing: int = 0
    """Keys after which there was nothing to show; they are in no row but `overhead`."""


@dataclass
class Bench:
    """One server, and the connection to the same engine beside it."""

    wire: Wire
    loop: asyncio.AbstractEventLoop
    connection: Connection
    idle: Ask
    """Returns when the engine does nothing."""
    times: Times = field(default_factory=Times)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def measure(self, samples: int) -> Times:
        """Take all times at so many places, once everything has been done for the first time."""
        self.first()
        for number, spot in enumerate(itertools.islice(spots(SEED), samples)):
            self._cold(spot)
            self._compared(_typed(spot, 1), server_first=bool(number % 2))
        return self.times

    def first(self) -> bool:
        """One suggestion at a place of its own; False when there was none."""
        for spot in itertools.islice(spots(SEED + 1), 5):
            typing = self._opened(spot)
            _, shown = self._key(typing, spot.keys[0])
            typing.close()
            if shown:
                return True
        return False

    def _cold(self, spot: Spot) -> None:
        typing = self._opened(spot)
        taken, shown = self._key(typing, spot.keys[0])
        self._keep(self.times.cold, taken, shown)
        typing.close()

    def _compared(self, spot: Spot, *, server_first: bool) -> None:
        """The next key through the server and straight, each from the same state of the engine."""
        sides = [lambda: self._through_server(spot), lambda: self._straight(spot)]
        first, second = (side() for side in (sides if server_first else sides[::-1]))
        server, straight = (first, second) if server_first else (second, first)
        again = self._straight(spot)
        self.times.straight += [straight, again]
        self.times.overhead.append(server - straight)
        self.times.noise.append(again - straight)

    def _through_server(self, spot: Spot) -> float:
        typing = self._opened(spot)
        self._read(spot)
        taken, shown = self._key(typing, spot.keys[0])
        self._keep(self.times.warm, taken, shown)
        for letter in shown[:3] if len(shown) > 4 else "":
            self._wait()
            further, rest = self._key(typing, letter)
            self._keep(self.times.cached, further, rest)
        typing.close()
        return taken

    def _straight(self, spot: Spot) -> float:
        place = _place(_typed(spot, 1))
        self._read(spot)
        request = request_for(place)
        assert isinstance(request, Request), request
        manner = Manner(client="bench", hasty=True, first_within=PATIENCE)
        started = time.perf_counter()
        self.loop.run_until_complete(suggest(place, self.connection, request, manner=manner))
        return (time.perf_counter() - started) * 1000

    def _read(self, spot: Spot) -> None:
        """Bring the engine into the state before the key."""
        self._wait()
        place = _place(spot)
        request = request_for(place)
        if isinstance(request, Request):
            fill = FillRequest(
                request.prefix,
                request.suffix,
                typed=request.typed,
                max_tokens=0,
                file_name=place.file_name,
                repository=place.repository,
            )
            self.loop.run_until_complete(self._to_its_end(fill))
        self._wait()

    async def _to_its_end(self, fill: FillRequest) -> None:
        async for _ in self.connection.stream_fill(fill):
            pass

    def _key(self, typing: Typing, letter: str) -> tuple[float, str]:
        """Type a letter; milliseconds until the ghost text is there, and the text."""
        pressed = typing.key(letter)
        shown = typing.ghost_text()
        return (time.perf_counter() - pressed) * 1000, shown

    def _keep(self, row: list[float], taken: float, shown: str) -> None:
        if shown:
            row.append(taken)
        else:
            self.times.nothing += 1

    def _opened(self, spot: Spot) -> Typing:
        """The text in a file that the server has not seen yet, by the name that it always has."""
        path = FOLDER / str(next(self._numbers)) / "piece.py"
        self._wait()
        return Typing(self.wire, path.as_uri(), spot.text, spot.offset)

    def _wait(self) -> None:
        self.loop.run_until_complete(self.idle())


def _typed(spot: Spot, count: int) -> Spot:
    """The spot after some of its keys."""
    before, after = spot.text[: spot.offset], spot.text[spot.offset :]
    return replace(
        spot,
        text=before + spot.keys[:count] + after,
        offset=spot.offset + count,
        keys=spot.keys[count:],
    )


def _place(spot: Spot) -> Place:
    """As the server sees it: the name of the file does not depend on its folder."""
    repository, name = names_of(FOLDER / "0" / "piece.py")
    return Place(spot.text, spot.offset, "python", name, repository)
