"""The engine's figures as Prometheus reads them, under llama-server's names where it has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from assistant.engine.types import Figures, Role

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Metric:
    name: str
    kind: str
    help: str
    value: Callable[[Figures], float]


def _counter(name: str, text: str, value: Callable[[Figures], float]) -> _Metric:
    return _Metric(f"{name}_total", "counter", text, value)


def _gauge(name: str, text: str, value: Callable[[Figures], float]) -> _Metric:
    return _Metric(name, "gauge", text, value)


_METRICS = (
    _counter("llamacpp:prompt_tokens", "Prompt tokens evaluated.", lambda f: f.prompt_tokens),
    _counter(
        "llamacpp:prompt_tokens_cached",
        "Prompt tokens found in memory.",
        lambda f: f.cached_tokens,
    ),
    _counter("llamacpp:prompt_seconds", "Time spent on prompts.", lambda f: f.prompt_seconds),
    _counter("llamacpp:tokens_predicted", "Tokens generated.", lambda f: f.generated_tokens),
    _counter(
        "llamacpp:tokens_predicted_seconds",
        "Time spent generating.",
        lambda f: f.generated_seconds,
    ),
    _counter("llamacpp:n_decode", "Decode calls.", lambda f: f.decode_calls),
    _counter("llamacpp:spec_decode_num_draft_tokens", "Tokens guessed ahead.", lambda f: f.drafted),
    _counter(
        "llamacpp:spec_decode_num_accepted_tokens", "Guesses that were right.", lambda f: f.accepted
    ),
    _counter(
        "assistant:decode_aborted",
        "Decode calls stopped half-way for a cancel or a more urgent request.",
        lambda f: f.aborted_calls,
    ),
    _gauge("llamacpp:requests_processing", "Requests in work.", lambda f: f.running),
    _gauge("llamacpp:requests_deferred", "Requests that wait.", lambda f: f.waiting),
    _gauge("assistant:cells", "Tokens that fit in memory.", lambda f: f.cells),
    _gauge("assistant:cells_used", "Tokens in memory.", lambda f: f.cells_used),
    _gauge("assistant:sequences_parked", "Sequences kept for later.", lambda f: f.parked),
)


def render(figures: Mapping[Role, Figures], process: Iterable[tuple[str, str, float]]) -> str:
    """The text of `/metrics`.

    Args:
        figures: of each model that is loaded.
        process: name, help and value of gauges about the daemon itself.
    """
    lines: list[str] = []
    for metric in _METRICS if figures else ():
        lines += _head(metric.name, metric.help, metric.kind)
        lines += [
            f'{metric.name}{{role="{role.value}"}} {_number(metric.value(found))}'
            for role, found in figures.items()
        ]
    for name, text, value in process:
        lines += [*_head(name, text, "gauge"), f"{name} {_number(value)}"]
    return "\n".join(lines) + "\n"


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6f}"
