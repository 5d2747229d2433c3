"""Four clients at once, each with a prompt of its own: all tokens a second."""

from __future__ import annotations

import operator

from tests.bench.serving.client import Answer
from tests.bench.serving.models import Model
from tests.bench.serving.report import Series, paired
from tests.bench.serving.setting import Setting, body, in_turn
from tests.bench.serving.sides import Side
from tests.bench.serving.vocabulary import Prompts

NAME = "four"
CLIENTS = 4
_PROMPT = 64
_LEAST_SHARE = 0.97


def run(setting: Setting) -> None:
    """Measure every size."""
    for model in setting.each("starter", "1b", "8b"):
        _measure(setting, model)


def _measure(setting: Setting, model: Model) -> None:
    tokens = min(128, 2 * model.tokens)
    each = _PROMPT + tokens + 32
    prompts = model.prompts(4)
    rates: dict[str, list[float]] = {}
    with setting.both(model, CLIENTS * each, each) as both:
        for side in both:
            side.client().ask(body(prompts.fresh(16), 4))
        for side in in_turn(setting.runs, both):
            rates.setdefault(side.name, []).append(_together(side, prompts, tokens))
    ours, theirs = (Series(side.name, tuple(rates[side.name])) for side in both)
    share = paired(ours, theirs, operator.truediv)
    what = f"tokens/s of {CLIENTS} clients, {_PROMPT} + {tokens} tokens each"
    target = f"at least {_LEAST_SHARE}"
    setting.add(NAME, model, what, (ours, theirs), f"{share:.3f}", target, share >= _LEAST_SHARE)


def _together(side: Side, prompts: Prompts, tokens: int) -> float:
    """Generated tokens a second, from the first request to the last text."""
    client = side.client()
    streams = [client.send(body(prompts.fresh(_PROMPT), tokens)) for _ in range(CLIENTS)]
    answers: list[Answer] = client.finish(streams)
    seconds = max(a.times[-1] for a in answers) - min(a.sent for a in answers)
    return sum(a.tokens for a in answers) / seconds
