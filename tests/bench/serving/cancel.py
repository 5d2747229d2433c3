"""A client goes away while its prompt is evaluated: what the server still computes."""

from __future__ import annotations

import random

from tests.bench.serving.client import parse
from tests.bench.serving.models import Model
from tests.bench.serving.report import Series
from tests.bench.serving.setting import Setting, body, pause
from tests.bench.serving.sides import Side
from tests.bench.serving.vocabulary import Prompts

NAME = "cancel"
_CONTEXT = 8192
_LATEST_SECONDS = 20.0
_GRACE_SECONDS, _WATCHED_SECONDS = 0.3, 1.0
_MOST_MS = 20.0


def run(setting: Setting) -> None:
    """200 tries at 1B and 30 at 8B; llama-server gets a tenth, as nothing is asked of it."""
    for model in setting.each("1b", "8b"):
        tries = setting.count(200 if model.name == "1b" else 30, 5)
        one_context = "--kv-unified"
        with setting.both(model, _CONTEXT, _CONTEXT // 4, one_context) as (ours, theirs):
            used = _tries(ours, model, tries)
            resting = Series("ours at rest", tuple(_cpu_ms(ours) for _ in range(5)))
            beside = _tries(theirs, model, max(3, tries // 10))
        over = sum(value >= _MOST_MS for value in used)
        mine = Series("ours", tuple(used))
        what = f"CPU ms in the second from {_GRACE_SECONDS} s on, {tries} tries"
        setting.add(
            NAME, model, what, (mine, resting, Series("llama-server", tuple(beside))),
            f"most {max(used):.1f}, {over} over", f"each under {_MOST_MS:.0f}", not over,
        )  # fmt: skip


def _tries(side: Side, model: Model, tries: int) -> list[float]:
    """CPU milliseconds after each cancel."""
    prompts, moments = model.prompts(9), random.Random(9)
    length, latest = _long_enough(side, model, prompts)
    used: list[float] = []
    while len(used) < tries:
        client = side.client()
        stream = client.send(body(prompts.fresh(length), 4))
        client.pump(lambda: False, moments.uniform(0.0, latest))
        if stream.ended:  # the machine is faster now; nothing was left to cancel
            parse(stream)
            length, latest = min(_CONTEXT - 64, length * 3 // 2), latest * 0.9
            continue
        client.cancel(stream)
        client.pump(lambda: False, _GRACE_SECONDS)
        used.append(_cpu_ms(side))
        pause()
    return used


def _cpu_ms(side: Side) -> float:
    """Processor time that the server uses within the next second."""
    before = side.cpu_seconds()
    side.client().pump(lambda: False, _WATCHED_SECONDS)
    return (side.cpu_seconds() - before) * 1000


def _long_enough(side: Side, model: Model, prompts: Prompts) -> tuple[int, float]:
    """The length of a prompt that takes longer than the latest moment, and that moment (s)."""
    probe = side.client().ask(body(prompts.fresh(256 - model.bos), 1))
    rate = probe.evaluated / probe.first_ms * 1000
    length = min(_CONTEXT - 64, int(rate * _LATEST_SECONDS * 1.5))
    return length, min(_LATEST_SECONDS, 0.6 * length / rate)
