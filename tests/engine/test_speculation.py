"""How much to guess, in a simulated engine: a call costs what its rows cost, with noise.

The texts are real: files of the standard library in the tokens of the embedded model. A rewrite
repeats a file with an edit every 15 to 80 tokens; free text is another file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistant.engine.lookup import PromptLookup
from assistant.engine.speculation import MOST, DecodeCosts, Speculation
from tests.support.decoded import vocabulary_of

STARTER = Path(__file__).parents[2] / "assistant/models/starter.gguf"
FILES = ("bisect", "calendar", "codeop", "configparser", "csv", "dis", "fractions", "gettext")


@dataclass
class Run:
    """What an answer took."""

    time: float
    calls: int
    guessed: int


def simulated(
    prompt: Sequence[int],
    answer: Sequence[int],
    cost: Callable[[int], float],
    *,
    seed: int = 0,
    others: int = 0,
    close: float = 0.0,
) -> Run:
    """Generate `answer`; each call gives one token and the right guesses before a wrong one.

    `close` is the share of tokens that are too close a choice to be made among several rows:
    they end the call and are chosen again, alone.
    """
    noise = random.Random(seed)
    costs = DecodeCosts()
    speculation = Speculation(PromptLookup(prompt), costs)
    too_close = [noise.random() < close for _ in answer]
    run, done, alone = Run(0.0, 0, 0), 1, False
    speculation.took(answer[:1])
    while done < len(answer):
        guess = [] if alone else speculation.guess(len(answer) - done - 1, others)
        right = 0
        while right < len(guess) and guess[right] == answer[done + right]:
            right += 1
        rows = 1 + others + len(guess)
        disturbed = 3 if noise.random() < 0.01 else 1
        costs.measured(rows, cost(rows) * max(0.2, noise.gauss(1, 0.1)) * disturbed)
        taken = right + 1
        if guess and True in too_close[done : done + taken]:
            taken = too_close.index(True, done) - done
        alone = taken <= right and bool(guess)
        speculation.took(answer[done : done + taken])
        run.time += cost(rows)
        run.calls += 1
        run.guessed += len(guess)
        done += taken
    return run


def faster(
    prompt: list[int], answer: list[int], slope: float, seed: int = 0, close: float = 0.0
) -> float:
    """Time without guesses over time with them; a row more costs `slope` of a call of one."""
    run = simulated(prompt, answer, lambda rows: 1 + slope * (rows - 1), seed=seed, close=close)
    return (len(answer) - 1) / run.time


def rewritten(tokens: list[int], seed: int) -> list[int]:
    choose = random.Random(seed)
    found, place = [], 0
    while place < len(tokens):
        length = choose.randint(15, 80)
        found += tokens[place : place + length]
        place += length
        if choose.random() < 0.6:
            found += [choose.randrange(2000) for _ in range(choose.randint(1, 4))]
            place += choose.randint(0, 6)
    return found


@pytest.fixture(scope="module")
def files() -> Iterator[list[list[int]]]:
    with vocabulary_of(STARTER) as vocabulary:
        library = Path(random.__file__).parent
        yield [vocabulary.tokenize((library / f"{name}.py").read_text())[:1500] for name in FILES]


@pytest.mark.parametrize(("slope", "least"), [(0.02, 4.0), (0.1, 2.5), (0.2, 1.8)])
def test_a_rewrite_is_faster(files: list[list[int]], slope: float, least: float) -> None:
    gains = [faster(tokens, rewritten(tokens, 1), slope, seed) for seed, tokens in enumerate(files)]

    assert min(gains) > 1.5
    assert sorted(gains)[len(gains) // 2] > least


@pytest.mark.parametrize("slope", [0.02, 0.1, 0.3, 0.6, 1.0])
def test_free_text_is_not_slower(files: list[list[int]], slope: float) -> None:
    for seed, (prompt, answer) in enumerate(zip(files, files[1:] + files[:1], strict=True)):
        assert faster(prompt, answer, slope, seed) > 0.98


@pytest.mark.parametrize("close", [0.03, 0.1, 0.3])
def test_choices_that_are_too_close_are_counted(files: list[list[int]], close: float) -> None:
    """What has to be chosen again is lost; where it is too much nothing is guessed."""
    for seed, (prompt, answer) in enumerate(zip(files, files[1:] + files[:1], strict=True)):
        assert faster(prompt, answer, 0.1, seed, close) > 0.97
        assert faster(prompt, rewritten(prompt, 1), 0.1, seed, close) > (
            1.5 if close < 0.2 else 0.97
        )


@pytest.mark.parametrize("slope", [0.02, 0.1, 0.3, 0.6, 1.0])
def test_noise_is_not_slower(slope: float) -> None:
    """Tokens of few kinds: matches of three are everywhere and mean nothing."""
    for seed in range(4):
        choose = random.Random(seed)
        text = [choose.randrange(6) for _ in range(1500)]
        assert faster(text[:500], text[500:], slope, seed) > 0.98


def test_a_rewrite_that_can_not_pay_is_not_slower(files: list[list[int]]) -> None:
    """Where each row costs a whole call nothing is gained, and next to nothing is tried."""
    for seed, tokens in enumerate(files):
        assert faster(tokens, rewritten(tokens, 1), 1.0, seed) > 0.97


def test_a_text_that_begins_to_repeat_is_noticed(files: list[list[int]]) -> None:
    """Long after guessing was given up, without a trial."""
    noise = [random.Random(0).randrange(6) for _ in range(1500)]
    answer = [*noise, *files[0]]

    run = simulated(files[0], answer, lambda rows: 1 + 0.1 * (rows - 1))

    assert (len(answer) - 1 - run.calls) > 0.8 * len(files[0])


def test_rows_of_others_are_counted(files: list[list[int]]) -> None:
    """Beside 40 rows of others, which a step of costs follows, a guess is dear; alone it is not."""

    def stairs(rows: int) -> float:
        return 1.0 if rows <= 40 else 10.0

    prompt = files[0]
    alone = simulated(prompt, prompt, stairs)
    crowded = simulated(prompt, prompt, stairs, others=39)

    assert alone.calls < len(prompt) / 5
    assert crowded.guessed < len(prompt) / 10


def test_it_is_measured_again_whether_a_dear_guess_got_cheap(files: list[list[int]]) -> None:
    """Each row costs a call at first (the machine is busy, say), and nothing later."""
    calls = 0

    def cost(rows: int) -> float:
        nonlocal calls
        calls += 1
        return float(rows) if calls < 2 * 800 else 1.0

    run = simulated(files[0], files[0] * 6, cost)

    assert 700 < run.calls < 2000


def test_the_first_guesses_are_short(files: list[list[int]]) -> None:
    """What 17 rows cost is not known before a few were tried."""
    costs = DecodeCosts()
    speculation = Speculation(PromptLookup(files[0]), costs)
    lengths = []
    for start in range(0, 1000, 17):
        guess = speculation.guess()
        if guess:
            lengths.append(len(guess))
        costs.measured(1 + len(guess), 1.0 + 0.01 * len(guess))
        speculation.took(files[0][start : start + 17])

    assert lengths[0] <= 3
    assert lengths[1] <= 9
    assert MOST in lengths[2:5]


def test_never_more_than_there_is_room_for() -> None:
    speculation = Speculation(PromptLookup([*range(50), *range(20)]), DecodeCosts())

    assert speculation.guess(0) == []
    assert speculation.guess(2) == [20, 21]
    assert 1 < len(speculation.guess()) <= MOST


def test_costs_between_and_beyond_what_was_measured() -> None:
    costs = DecodeCosts()
    assert costs.of(1) == 1.0
    assert costs.of(5) > costs.of(1)
    costs.measured(1, 2.0)
    assert 2.0 < costs.of(9) < 4.0
    costs.measured(9, 10.0)

    assert costs.of(1) == 2.0
    assert costs.of(5) == pytest.approx(6.0)
    # Beyond: less than on a line, so that more rows are tried.
    assert costs.of(17) == pytest.approx(10.0 * (17 / 9) ** 0.7)


def test_an_old_measurement_is_forgotten() -> None:
    """A machine that was busy once is not for ever too slow for guesses."""
    costs = DecodeCosts()
    costs.measured(9, 50.0)
    for _ in range(500):
        costs.measured(1, 1.0)
    assert costs.of(9) == 50.0
    for _ in range(700):
        costs.measured(1, 1.0)

    assert costs.of(9) < 2.0


def test_prompts_and_disturbances_do_not_count() -> None:
    costs = DecodeCosts()
    for _ in range(20):
        costs.measured(1, 1.0)
    costs.measured(128, 50.0)
    costs.measured(0, 1.0)
    costs.measured(1, 0.0)
    costs.measured(1, 1000.0)

    assert costs.of(1) < 1.2
    assert costs.of(2) < 2
