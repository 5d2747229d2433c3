"""The choice of a token, compared with llama.cpp's own samplers on real logits."""

from __future__ import annotations

import ctypes
import dataclasses
import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.engine.penalties import Penalties
from assistant.engine.rows import largest
from assistant.engine.sampling import Sampler, check
from assistant.engine.types import Limits, Prepared, Sampling
from assistant.errors import EngineProblem, RequestProblem
from tests.support.decoded import Decoded, decoded
from tests.support.tiny_gguf import Tiny, write

SAMPLED = Sampling(temperature=0.8, top_k=40, top_p=0.9, min_p=0.02, seed=7)
PENALISED = Sampling(repeat_penalty=1.3, frequency_penalty=0.4, presence_penalty=0.2)


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[Decoded]:
    with decoded(write(models / "sampling.gguf")) as loaded:
        loaded.decode(range(200))
        yield loaded


@pytest.fixture(scope="module")
def large(models: Path) -> Iterator[Decoded]:
    """More tokens than the threshold from which the likely ones are looked for first."""
    words = [f"word{number}" for number in range(40_000)]
    with decoded(write(models / "large.gguf", Tiny(words=words)), 32) as loaded:
        loaded.decode(range(32))
        yield loaded


def drawn(model: Decoded, seed: int) -> list[int]:
    """Twenty tokens of nearly equal chances."""
    prepared = request(Sampling(temperature=50.0, top_k=0, top_p=1.0, seed=seed))
    with sampler(model, prepared) as chooser:
        return [chooser.pick(model.context, -1) for _ in range(20)]


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**40 - 1, -(2**33) - 1])
def test_every_seed_gives_the_same_tokens_again(small: Decoded, seed: int) -> None:
    """One of all ones is not a seed to llama.cpp."""
    assert drawn(small, seed) == drawn(small, seed)


def request(
    sampling: Sampling | None = None,
    prompt: tuple[int, ...] = (1, 2, 3),
    grammar: str | None = None,
    healed: bytes = b"",
) -> Prepared:
    return Prepared(prompt, sampling or Sampling(), Limits(grammar=grammar), 100, healed=healed)


def sampler(model: Decoded, prepared: Prepared) -> Sampler:
    return Sampler(model.lib, model.vocabulary, prepared)


def by_llama(model: Decoded, sampling: Sampling, history: list[int], rows: int) -> list[int]:
    """What llama.cpp's samplers choose in llama-server's order, the choices accepted."""
    lib = model.lib
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    size = model.vocabulary.size
    parts = [
        lib.llama_sampler_init_penalties(
            size,
            sampling.penalty_tokens,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        )
    ]
    if sampling.temperature > 0:
        parts += [
            lib.llama_sampler_init_top_k(sampling.top_k),
            lib.llama_sampler_init_top_p(sampling.top_p, 1),
            lib.llama_sampler_init_min_p(sampling.min_p, 1),
            lib.llama_sampler_init_temp(sampling.temperature),
            lib.llama_sampler_init_dist(sampling.seed),
        ]
    else:
        parts.append(lib.llama_sampler_init_greedy())
    for part in parts:
        lib.llama_sampler_chain_add(chain, part)
    for token in history:
        lib.llama_sampler_accept(chain, token)
    chosen = [lib.llama_sampler_sample(chain, model.context, row) for row in range(rows)]
    lib.llama_sampler_free(chain)
    return chosen


def chosen_here(model: Decoded, prepared: Prepared, rows: int) -> list[int]:
    found = []
    with sampler(model, prepared) as ours:
        for row in range(rows):
            found.append(ours.pick(model.context, row))
            ours.accept(found[-1])
    return found


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        SAMPLED,
        PENALISED,
        dataclasses.replace(SAMPLED, top_k=0, top_p=1.0),
        dataclasses.replace(SAMPLED, repeat_penalty=1.3, penalty_tokens=5),
        dataclasses.replace(PENALISED, penalty_tokens=3),
        dataclasses.replace(PENALISED, penalty_tokens=0),
    ],
)
@pytest.mark.parametrize("vocabulary", ["small", "large"])
def test_the_choice_is_llama_cpps(
    sampling: Sampling, vocabulary: str, request: pytest.FixtureRequest
) -> None:
    model: Decoded = request.getfixturevalue(vocabulary)
    rows = 200 if vocabulary == "small" else 32
    prompt = tuple(random.Random(0).choices(range(250), k=80))

    ours = chosen_here(model, Prepared(prompt, sampling, Limits(), 100), rows)

    assert ours == by_llama(model, sampling, list(prompt), rows)


def test_the_penalties_are_llama_cpps(small: Decoded) -> None:
    """Of all tokens, those with negative logits too."""
    lib, size = small.lib, small.vocabulary.size
    history = random.Random(1).choices(range(size), k=300)
    part = lib.llama_sampler_init_penalties(size, 64, 1.3, 0.4, 0.2)
    ours = Penalties(PENALISED, history[:100])
    for token in history:
        lib.llama_sampler_accept(part, token)
    for token in history[100:]:
        ours.accept(token)
    logits = (np.random.default_rng(0).standard_normal(size) * 5).astype(np.float32)
    candidates = (lib.llama_token_data * size)(
        *((token, float(logits[token]), 0.0) for token in range(size))
    )
    data = lib.llama_token_data_array(
        data=ctypes.cast(candidates, lib.llama_token_data_p), size=size, selected=-1, sorted=False
    )
    lib.llama_sampler_apply(part, ctypes.byref(data))
    lib.llama_sampler_free(part)

    changed = ours.apply(logits)

    assert logits == pytest.approx([entry.logit for entry in candidates], rel=1e-6)
    assert len(changed[0]) == len(set(history[-64:]))


def test_the_same_seed_gives_the_same_tokens_beside_other_requests(small: Decoded) -> None:
    alone = chosen_here(small, request(SAMPLED), 50)
    other = sampler(small, request(dataclasses.replace(SAMPLED, seed=8)))
    found = []
    with other, sampler(small, request(SAMPLED)) as ours:
        for row in range(50):
            other.pick(small.context, row % 7)
            found.append(ours.pick(small.context, row))

    assert found == alone
    assert chosen_here(small, request(dataclasses.replace(SAMPLED, seed=8)), 50) != alone


def test_a_choice_leaves_the_logits_as_they_were(small: Decoded) -> None:
    grammar = 'root ::= "x"+'
    for sampling in (Sampling(), SAMPLED, PENALISED):
        with sampler(small, request(sampling, grammar=grammar)) as ours:
            before = ours.logits(small.context, 3).copy()
            ours.pick(small.context, 3, want_margin=True)

            assert (ours.logits(small.context, 3) == before).all()


def test_the_margin_is_the_lead_of_the_best(small: Decoded) -> None:
    with sampler(small, request()) as ours:
        for row in range(20):
            ours.pick(small.context, row, want_margin=True)
            first, second = np.sort(ours.logits(small.context, row))[[-1, -2]]

            assert ours.margin == pytest.approx(first - second)


@pytest.mark.parametrize("sampling", [Sampling(), SAMPLED, PENALISED])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_a_number_is_told(models: Path, sampling: Sampling, value: float) -> None:
    with decoded(write(models / "nan.gguf"), 32) as model:
        model.decode([1, 2])
        with sampler(model, request(sampling)) as ours:
            ours.logits(model.context, 1)[77] = value
            with pytest.raises(EngineProblem, match="largest logit"):
                ours.pick(model.context, 1)


@pytest.mark.parametrize("sampling", [Sampling(), SAMPLED, PENALISED])
def test_suppressed_tokens_are_never_chosen(
    models: Path, small: Decoded, sampling: Sampling
) -> None:
    usual = set(chosen_here(small, request(sampling), 100))
    never = tuple(sorted(usual))[:10]
    with decoded(write(models / "never.gguf", Tiny(suppressed=(*never, 10**6)))) as model:
        model.decode(range(200))

        assert model.vocabulary.suppressed == never
        assert not set(never) & set(chosen_here(model, request(sampling), 100))


def test_a_row_without_logits_is_told(small: Decoded) -> None:
    with sampler(small, request()) as ours, pytest.raises(EngineProblem, match="Row 255"):
        ours.pick(small.context, 255)


def test_closing_twice_is_harmless(small: Decoded) -> None:
    ours = sampler(small, request(SAMPLED))
    ours.close()
    ours.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", math.nan),
        ("top_p", math.inf),
        ("min_p", math.nan),
        ("repeat_penalty", 0.0),
        ("repeat_penalty", -1.0),
        ("repeat_penalty", 1e-320),
        ("presence_penalty", math.inf),
    ],
)
def test_numbers_without_a_meaning_are_refused(name: str, value: float) -> None:
    with pytest.raises(RequestProblem, match=name):
        check(dataclasses.replace(Sampling(), **{name: value}))


def test_extreme_numbers_choose_something(small: Decoded) -> None:
    greedy = chosen_here(small, request(), 5)
    for sampling in (
        Sampling(temperature=1e-30, seed=1),
        Sampling(temperature=1.0, top_p=0.0, seed=1),
        Sampling(temperature=1.0, min_p=1.0, seed=1),
        Sampling(temperature=1.0, top_k=1, seed=1),
    ):
        assert chosen_here(small, request(sampling), 5) == greedy
    for sampling in (
        Sampling(temperature=1.0, top_k=2**40, top_p=2.0, seed=1),
        Sampling(temperature=1e30, top_k=-5, seed=-1),
        Sampling(penalty_tokens=-1, repeat_penalty=1e30),
    ):
        assert len(chosen_here(small, request(sampling), 5)) == 5


@pytest.mark.parametrize("size", [1, 5, 31, 32, 1000, 40_000])
def test_the_largest_are_found(size: int) -> None:
    random_numbers = np.random.default_rng(size)
    for count in (0, 1, 3, 40, 300, size, size + 1):
        values = random_numbers.integers(0, size, size).astype(np.float32)
        found = largest(values, count)

        assert len(set(found.tolist())) == len(found) >= min(count, size)
        best = np.sort(values)[::-1][:count]
        assert (np.sort(values[found])[::-1][:count] == best).all()
    for _ in range(50):
        values = random_numbers.standard_normal(size).astype(np.float32)
        assert set(np.argsort(values)[::-1][:7].tolist()) <= set(largest(values, 7).tolist())


# ---- grammar and healing inside of the sampler


def generated(model: Decoded, prepared: Prepared, steps: int) -> tuple[bytes, bool]:
    """An answer on rows that know nothing of it: the sampler alone keeps it in its form."""
    answer = b""
    with sampler(model, prepared) as ours:
        for step in range(steps):
            token = ours.pick(model.context, step % 150)
            known = ours.accept(token)
            if model.vocabulary.is_end(token):
                return answer, True
            answer += model.vocabulary.piece(token)[known:]
    return answer, False


@pytest.mark.parametrize("sampling", [Sampling(), SAMPLED, PENALISED, Sampling(temperature=2.0)])
def test_the_answer_follows_the_grammar(small: Decoded, sampling: Sampling) -> None:
    grammar = 'root ::= "[" [0-9]{1,3} (", " [0-9]{1,3}){2,5} "]"'

    answer, ended = generated(small, request(sampling, grammar=grammar), 100)

    numbers = answer.decode().removeprefix("[").removesuffix("]").split(", ")
    assert ended
    assert 3 <= len(numbers) <= 6
    assert all(1 <= len(number) <= 3 and number.isdigit() for number in numbers)


def test_the_most_likely_allowed_token_is_chosen(small: Decoded) -> None:
    with sampler(small, request(grammar="root ::= [a-f]")) as ours:
        for row in range(30):
            logits = ours.logits(small.context, row)
            allowed = list(b"abcdef")

            assert ours.pick(small.context, row, want_margin=True) == max(
                allowed, key=logits.__getitem__
            )
            first, second = sorted(logits[allowed])[-1:-3:-1]
            assert ours.margin == pytest.approx(first - second)


def test_a_forced_token_outside_of_the_grammar_gives_it_up(small: Decoded) -> None:
    with sampler(small, request(grammar='root ::= "a"+')) as ours:
        ours.accept(small.vocabulary.tokenize("a")[0])
        assert not ours.grammar_lost
        ours.accept(small.vocabulary.tokenize("b")[0])

        assert ours.grammar_lost
        assert ours.pick(small.context, 0) == int(ours.logits(small.context, 0).argmax())
        assert ours.grammar_lost


def test_what_was_healed_comes_first_and_is_known(small: Decoded) -> None:
    for text in (b"    ", b"ab", "né".encode(), b" " * 100):
        for sampling in (Sampling(), SAMPLED):
            seen, known = b"", 0
            with sampler(small, request(sampling, healed=text)) as ours:
                for row in range(len(text)):
                    token = ours.pick(small.context, row)
                    known += ours.accept(token)
                    seen += small.vocabulary.piece(token)
                    if known == len(text):
                        break

            assert known == len(text)
            assert seen.startswith(text)


def test_the_grammar_begins_behind_what_was_healed(small: Decoded) -> None:
    for sampling in (Sampling(), SAMPLED):
        prepared = request(sampling, grammar='root ::= " "? "x"{3}', healed=b"  ")

        answer, ended = generated(small, prepared, 30)

        assert (answer.strip(), ended) == (b"xxx", True)
    spaces = set()
    for row in range(200):
        with sampler(small, request(grammar='root ::= "  " "x"', healed=b"  ")) as ours:
            spaces.add(len(small.vocabulary.piece(ours.pick(small.context, row))))
    # Four: two that are in the prompt, and the two of the answer.
    assert spaces == {1, 2, 4}


def test_the_logits_are_a_view_of_llama_cpps(small: Decoded) -> None:
    with sampler(small, request()) as ours:
        pointer = small.lib.llama_get_logits_ith(small.context, 9)
        view = ours.logits(small.context, 9)

        assert view.ctypes.data == ctypes.cast(pointer, ctypes.c_void_p).value
        assert ours.logits(small.context, 9) is view


def test_the_likely_ones_are_found_however_the_logits_change(small: Decoded) -> None:
    """A threshold of the last token is a guess; what it lets through has to be enough."""
    chance = np.random.default_rng(0)
    sampling = Sampling(temperature=1.0, top_k=5, seed=1)
    with sampler(small, request(sampling)) as chosen_by:
        for _ in range(400):
            spread, shift = chance.choice([0.0, 0.1, 3.0, 30.0]), chance.choice([0.0, -50.0, 50.0])
            logits = (chance.standard_normal(40_000) * spread + shift).astype(np.float32)
            best = np.sort(logits)[-5:]
            ids, kept = chosen_by._likely(logits)
            assert (kept == logits[ids]).all()
            assert (np.sort(kept)[-5:] == best).all()
        logits[:] = np.nan
        assert np.isnan(chosen_by._likely(logits)[1]).all()


def test_candidates_that_are_more_than_before_get_memory_of_their_own(small: Decoded) -> None:
    """What was drawn is one of those that were given, however many there were the last time."""
    chance = np.random.default_rng(1)
    with sampler(small, request(Sampling(temperature=1.0, top_k=4, seed=1))) as chosen_by:
        for count in (1, 2, 3, 40, 5, 4000, 1):
            ids = chance.permutation(40_000)[:count]
            logits = chance.standard_normal(count).astype(np.float32)
            likely = ids[np.argsort(logits)[-4:]]
            for _ in range(20):
                assert chosen_by._draw(chosen_by._chain, ids, logits) in likely
