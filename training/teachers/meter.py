"""What the teacher costs: tokens, money and time, estimated before the start and counted after."""

from __future__ import annotations

from dataclasses import dataclass, field

CHARACTERS_A_TOKEN = 3.6
"""Of English prose with some code, in the vocabularies of Llama 3 and its like."""
MESSAGE_TOKENS = 8
"""What a chat template puts around two messages, about."""


class BudgetReached(Exception):
    """The next call could cost more than is left."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """US dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


def prompt_tokens(characters: int) -> int:
    """Tokens of a prompt, estimated."""
    return round(characters / CHARACTERS_A_TOKEN) + MESSAGE_TOKENS


@dataclass
class Meter:
    """Counts what is spent, and holds back what running calls may still cost.

    Attributes:
        price: of a token.
        max_usd: never more than this; 0: no limit.
    """

    price: Price = field(default_factory=Price)
    max_usd: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _reserved: float = 0.0

    @property
    def usd(self) -> float:
        """Spent so far."""
        return self.price.of(self.prompt_tokens, self.completion_tokens)

    def reserve(self, prompt: int, completion: int) -> float:
        """Hold back what a call may cost at most; to be given to `release`.

        Raises:
            BudgetReached: it is more than is left of `max_usd`.
        """
        cost = self.price.of(prompt, completion)
        if self.max_usd and self.usd + self._reserved + cost > self.max_usd + 1e-12:
            raise BudgetReached
        self._reserved += cost
        return cost

    def release(self, reserved: float) -> None:
        """The call is over, whatever became of it."""
        self._reserved -= reserved

    def count(self, prompt: int, completion: int) -> None:
        """An answer was paid for, now or by an earlier run."""
        self.calls += 1
        self.prompt_tokens += prompt
        self.completion_tokens += completion


@dataclass(frozen=True)
class Rates:
    """What limits the speed; 0 where it is not known or has no limit."""

    requests_a_minute: int = 0
    tokens_a_minute: int = 0
    tokens_a_second: float = 0.0
    """Written by the server for all requests together."""


@dataclass(frozen=True)
class Forecast:
    """What is about to be spent, each with the formula it comes from."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float | None
    """None: neither limits nor the server's speed are known."""
    formulas: tuple[tuple[str, str, str], ...]
    """(what, value, formula)."""


def forecast(calls: int, prompt: int, answer: int, price: Price, rates: Rates) -> Forecast:
    """Estimate before the start.

    Args:
        calls: how many will be made when none is repeated.
        prompt: tokens of all prompts together.
        answer: tokens of one answer, expected.
        price: of a token.
        rates: of requests and tokens.
    """
    completion = calls * answer
    usd = price.of(prompt, completion)
    seconds, bound = _slowest(calls, prompt, completion, rates)
    formulas = (
        ("calls", f"{calls:,}", "samples x turns that are not recorded yet; repeats come on top"),
        ("prompt tokens", f"{prompt:,}", f"characters / {CHARACTERS_A_TOKEN} + "
         f"{MESSAGE_TOKENS} a call"),
        ("answer tokens", f"{completion:,}", f"{calls:,} calls x {answer:,} expected"),
        _money(prompt, completion, price),
        ("time", _duration(seconds), bound),
    )  # fmt: skip
    return Forecast(calls, prompt, completion, usd, seconds, formulas)


def _money(prompt: int, completion: int, price: Price) -> tuple[str, str, str]:
    if not (price.prompt or price.completion):
        # A service that is paid for must not look free because nobody said what it costs.
        where = "contexts.usd_per_million_prompt and contexts.usd_per_million_completion are 0"
        return "money", "nothing, or not known", where
    formula = f"{prompt:,} x {price.prompt:g} + {completion:,} x {price.completion:g} USD a million"
    return "money", f"{price.of(prompt, completion):,.2f} USD", f"{formula} tokens"


def _slowest(calls: int, prompt: int, completion: int, rates: Rates) -> tuple[float | None, str]:
    known: list[tuple[float, str]] = []
    if rates.requests_a_minute:
        seconds = 60 * calls / rates.requests_a_minute
        known.append((seconds, f"{calls:,} calls / {rates.requests_a_minute:,} a minute"))
    if rates.tokens_a_minute:
        tokens = prompt + completion
        seconds = 60 * tokens / rates.tokens_a_minute
        known.append((seconds, f"{tokens:,} tokens / {rates.tokens_a_minute:,} a minute"))
    if rates.tokens_a_second:
        seconds = completion / rates.tokens_a_second
        known.append((seconds, f"{completion:,} tokens / {rates.tokens_a_second:,g} a second"))
    if not known:
        return None, "not known: neither a rate limit nor contexts.tokens_per_second is set"
    return max(known)


def _duration(seconds: float | None) -> str:
    from training.progress import duration

    return "not known" if seconds is None else duration(seconds)
