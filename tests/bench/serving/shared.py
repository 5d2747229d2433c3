"""Four clients that ask about the same 2,000 tokens at the same moment."""

from __future__ import annotations

from tests.bench.serving.client import Unanswered
from tests.bench.serving.models import Model
from tests.bench.serving.report import Series
from tests.bench.serving.setting import Setting, body, in_turn
from tests.bench.serving.sides import Side
from tests.bench.serving.vocabulary import Prompts

NAME = "shared"
_CLIENTS = 4
_TAIL, _TOKENS = 16, 32
_MOST_SHARE = 0.4


def run(setting: Setting) -> None:
    """Measure at the 1B shape; at 8B when asked for."""
    names = ("1b", "8b") if setting.chosen else ("1b",)
    for model in setting.each(*names):
        _measure(setting, model)


def _measure(setting: Setting, model: Model) -> None:
    prefix = 500 if setting.quick else 2000
    # What the target grants: the prefix once, and each client's own. llama.cpp rounds up to 256.
    context = -(-(prefix + _CLIENTS * (_TAIL + _TOKENS)) // 256) * 256
    prompts = model.prompts(5)
    last: dict[str, list[float]] = {}
    good: dict[str, list[float]] = {}
    with setting.both(model, context, prefix + _TAIL + _TOKENS + 32) as both:
        for side in in_turn(setting.runs, both):
            firsts = _together(side, prompts, prefix - model.bos)
            good.setdefault(side.name, []).append(len(firsts))
            last.setdefault(side.name, []).append(max(firsts, default=float("inf")))
    ours, theirs = (Series(side.name, tuple(last[side.name])) for side in both)
    share = ours.median / theirs.median
    what = f"ms to the last first token, prefix of {prefix}"
    setting.add(
        NAME, model, what, (ours, theirs), f"{share:.3f}", f"at most {_MOST_SHARE}",
        share <= _MOST_SHARE,
    )  # fmt: skip
    answered = [Series(side.name, tuple(good[side.name])) for side in both]
    least = min(answered[0].values)
    setting.add(
        NAME, model, f"answers of {_CLIENTS}; ours in a context of {context}", answered,
        f"{least:.0f}", f"{_CLIENTS}", least == _CLIENTS,
    )  # fmt: skip


def _together(side: Side, prompts: Prompts, prefix: int) -> list[float]:
    """The first-token times of the clients that were answered."""
    client, common = side.client(), prompts.fresh(prefix)
    streams = [client.send(body(common + prompts.fresh(_TAIL), _TOKENS)) for _ in range(_CLIENTS)]
    firsts = []
    for stream in streams:
        try:
            answer = client.finish([stream])[0]
        except Unanswered as error:
            print(f"{side.name}: {error}")
            continue
        if answer.tokens == _TOKENS:
            firsts.append(answer.first_ms)
    return firsts
