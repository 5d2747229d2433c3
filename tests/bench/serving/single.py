"""One client: a token's time against llama-bench's, and the prompt's."""

from __future__ import annotations

import operator
from functools import partial

from tests.bench.serving.models import Model
from tests.bench.serving.report import Series, paired
from tests.bench.serving.setting import Setting, body, pause
from tests.bench.serving.sides import Side

NAME = "single"
_PROMPT = 512
_FREE_MS, _FREE_SHARE = 0.25, 0.02
_LEAST_SPEED = 0.95


def run(setting: Setting) -> None:
    """Measure every size."""
    for model in setting.each("starter", "1b", "8b"):
        depths = model.depths[:1] if setting.quick else model.depths
        context = max(_PROMPT, *depths) + 2 * model.tokens
        with setting.both(model, context, context) as (ours, theirs):
            for depth in depths:
                _decoding(setting, model, ours, theirs, depth)
            _prompt(setting, model, ours)


def _decoding(setting: Setting, model: Model, ours: Side, theirs: Side, depth: int) -> None:
    """A token's time; llama-server's stands beside, as it too is a process that stays."""
    prompt = model.prompts(depth).fresh(depth - model.bos)
    tokens = model.tokens // model.split

    def of_bench() -> float:
        return setting.peer.bench(model.path, model.threads, 0, tokens, depth)

    def of(side: Side) -> float:
        return side.client().ask(body(prompt, tokens)).token_ms

    mine, bare, beside = [], [], []
    turns = [(bare, of_bench), (mine, partial(of, ours)), (beside, partial(of, theirs))]
    for side in (ours, theirs):
        side.client().ask(body(prompt, 8))
    for number in range(setting.runs * model.split):
        for values, measure in turns if number % 2 else turns[::-1]:
            pause()
            values.append(measure())
    own, reference = Series("ours", tuple(mine)), Series("llama-bench", tuple(bare))
    over = paired(own, reference, operator.sub)
    allowed = max(_FREE_MS, _FREE_SHARE * reference.median)
    what = f"ms a token at depth {depth}, {model.threads} threads"
    result = f"{over:+.3f} ms ({over / reference.median:+.1%})"
    series = (own, reference, Series("llama-server", tuple(beside)))
    setting.add(NAME, model, what, series, result, f"at most {allowed:+.3f}", over <= allowed)


def _prompt(setting: Setting, model: Model, side: Side) -> None:
    client, prompts = side.client(), model.prompts(0)
    ours, inside, bare = [], [], []
    for _ in range(setting.runs):
        pause()
        per_token = setting.peer.bench(model.path, model.threads, _PROMPT, 0, 0)
        bare.append(1000 / per_token)
        pause()
        answer = client.ask(body(prompts.fresh(_PROMPT - model.bos), 1))
        ours.append(answer.evaluated / answer.first_ms * 1000)
        inside.append(answer.evaluated / answer.prompt_ms * 1000)
    mine, reference = Series("ours", tuple(ours)), Series("llama-bench", tuple(bare))
    share = paired(mine, reference, operator.truediv)
    series = (mine, reference, Series("ours, by its own clock", tuple(inside)))
    what = f"tokens/s of a prompt of {_PROMPT}, to the first token"
    if not model.big:
        setting.add(NAME, model, what, series, f"{share:.3f}")
        return
    target = f"at least {_LEAST_SPEED}"
    setting.add(NAME, model, what, series, f"{share:.3f}", target, share >= _LEAST_SPEED)
