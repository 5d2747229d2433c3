"""An inline request that comes while the engine is busy: with a chat, or with a long prompt."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass, field

from tests.bench.serving.client import Client, Stream
from tests.bench.serving.models import Model
from tests.bench.serving.report import Series
from tests.bench.serving.setting import Setting, body, in_turn, pause
from tests.bench.serving.sides import Side
from tests.bench.serving.vocabulary import Prompts

NAME = "inline"
_PROMPT, _TOKENS = 16, 4
"""What an inline request evaluates and generates; its prefix would be cached in an editor."""
_CHAT_PROMPT = 64
_STEPS = 1.5
_LATE_MS = 1200.0
_EVERY_SECONDS = 5.0
_MOST_SLOWER = 2.0


@dataclass
class _Waits:
    """What one side measured during chats."""

    step_ms: list[float] = field(default_factory=list)
    """A token of a chat that is alone."""
    own_ms: list[float] = field(default_factory=list)
    """The first token of an inline request that is alone."""
    busy_ms: list[float] = field(default_factory=list)
    """The same during a chat."""

    def steps(self) -> tuple[float, ...]:
        """How long each waited beyond its own prompt, in steps of the chat."""
        step, own = statistics.median(self.step_ms), statistics.median(self.own_ms)
        return tuple((busy - own) / step for busy in self.busy_ms)


def run(setting: Setting) -> None:
    """During a chat at both shapes, during a long prompt at 8B (with --quick at 1B)."""
    for model in setting.each("1b", "8b"):
        _during_chat(setting, model)
    long = ("1b",) if setting.quick else ("8b",)
    for model in setting.each(*(("1b", "8b") if setting.chosen else long)):
        _during_prompt(setting, model)


def _inline(prompts: Prompts, source: int) -> dict[str, object]:
    """An inline request of its own document: a newer one of the same would replace it."""
    return body(prompts.fresh(_PROMPT), _TOKENS, priority="inline", source=f"bench:{source}")


def _during_chat(setting: Setting, model: Model) -> None:
    tries = setting.count(40 if model.name == "1b" else 20, 4)
    length = 4 * model.tokens
    prompts, waits = model.prompts(7), {}
    with setting.both(model, 4 * (_CHAT_PROMPT + length + 64), _CHAT_PROMPT + length + 64) as both:
        rounds = min(setting.runs, tries)
        for side in in_turn(rounds, both):
            _chats(side, prompts, waits.setdefault(side.name, _Waits()), length, tries // rounds)
    series = [Series(side.name, waits[side.name].steps()) for side in both]
    beyond = series[0].p95
    setting.add(
        NAME, model, "wait during a chat beyond the own prompt, steps", series,
        f"p95 {beyond:.2f}", f"at most {_STEPS}", beyond <= _STEPS,
    )  # fmt: skip
    for what, name in (("a chat's token", "step_ms"), ("an inline request alone", "own_ms")):
        values = [Series(side.name, tuple(getattr(waits[side.name], name))) for side in both]
        setting.add(NAME, model, f"ms of {what}", values)


def _chats(side: Side, prompts: Prompts, waits: _Waits, length: int, tries: int) -> None:
    """One round: a chat alone, inline requests alone, then those during chats."""
    client, moments = side.client(), random.Random(tries)
    waits.step_ms.append(client.ask(body(prompts.fresh(_CHAT_PROMPT), length // 4)).token_ms)
    for number in range(3):
        pause()
        waits.own_ms.append(client.ask(_inline(prompts, number)).first_ms)
    chat: Stream | None = None
    for number in range(tries):
        # What is left of a chat has to be longer than the request that comes into it.
        if chat is None or chat.ended or chat.events > length // 2:
            if chat is not None and not chat.ended:
                client.cancel(chat)
            chat = client.send(body(prompts.fresh(_CHAT_PROMPT), length))
            _until_events(client, chat, 4)
        _until_events(client, chat, chat.events + moments.randint(2, 6))
        client.pump(lambda: False, moments.uniform(0, statistics.median(waits.step_ms) / 1000))
        waits.busy_ms.append(client.ask(_inline(prompts, number)).first_ms)
    if chat is not None and not chat.ended:
        client.cancel(chat)


def _until_events(client: Client, stream: Stream, count: int) -> None:
    client.pump(lambda: stream.ended or stream.events >= count)


def _during_prompt(setting: Setting, model: Model) -> None:
    length = 1000 if setting.quick else 4000
    prompts = model.prompts(8)
    alone: dict[str, list[float]] = {}
    loaded: dict[str, list[float]] = {}
    waits: dict[str, list[float]] = {}
    works: dict[str, list[float]] = {}
    with setting.both(model, length + 1024, length + 256) as both:
        for side in both:
            alone[side.name] = [_own(side, prompts, number) for number in range(3)]
        for side in in_turn(1, both):
            whole = side.client().ask(body(prompts.fresh(length), 1)).first_ms
            finish, late, work = _with_inline(side, prompts, length)
            own = statistics.median(alone[side.name])
            waits[side.name] = [value - own for value in late]
            works[side.name] = [work]
            loaded[side.name] = [whole, finish]
    _tell(setting, model, length, waits, works, loaded)


def _own(side: Side, prompts: Prompts, number: int) -> float:
    pause()
    return side.client().ask(_inline(prompts, number)).first_ms


def _with_inline(side: Side, prompts: Prompts, length: int) -> tuple[float, list[float], float]:
    """A long prompt with an inline request every five seconds.

    Returns:
        Its first token, the first tokens of the others, and what the others would take alone (ms).
    """
    client = side.client()
    single = client.ask(_inline(prompts, 0)).total_ms
    pause()
    started = time.perf_counter()
    long, others = client.send(body(prompts.fresh(length), 1)), []
    while not long.ended:
        due = started + _EVERY_SECONDS * (len(others) + 0.5)
        client.pump(lambda: long.ended, max(0.0, due - time.perf_counter()))
        if not long.ended:
            others.append(client.send(_inline(prompts, len(others) + 1)))
    (answer,) = client.finish([long])
    firsts = [other.first_ms for other in client.finish(others)]
    return answer.first_ms, firsts, single * len(others)


def _tell(
    setting: Setting,
    model: Model,
    length: int,
    waits: dict[str, list[float]],
    works: dict[str, list[float]],
    loaded: dict[str, list[float]],
) -> None:
    names = list(waits)
    ours = next(name for name in names if name == "ours")
    names = [ours, *(name for name in names if name != ours)]
    series = [Series(name, tuple(waits[name])) for name in names]
    worst = series[0].p95
    setting.add(
        NAME, model, f"ms beyond the own prompt during {length} tokens", series,
        f"p95 {worst:.0f}", f"at most {_LATE_MS:.0f}", worst <= _LATE_MS,
    )  # fmt: skip
    whole, finish = loaded[ours]
    allowed = _MOST_SLOWER * whole + works[ours][0]
    series = [Series(name, tuple(loaded[name])) for name in names]
    setting.add(
        NAME, model, f"ms of {length} tokens: alone, with one every {_EVERY_SECONDS:.0f} s",
        series, f"{finish:.0f}", f"at most {allowed:.0f}", finish <= allowed,
    )  # fmt: skip
