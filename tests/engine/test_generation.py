"""Generation on real (tiny) models: exact, reusable, cancellable."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from assistant.daemon.preparing import prepare
from assistant.daemon.requests import parse_chat
from assistant.engine.engine import Engine
from assistant.engine.types import (
    Budget,
    CancelToken,
    Finished,
    FinishReason,
    Forced,
    Limits,
    Message,
    Output,
    Prepared,
    PromptProgress,
    Sampling,
    Text,
)
from assistant.errors import ModelProblem, RequestProblem
from tests.engine.conftest import chain_engine
from tests.support.tiny_gguf import Tiny, chain_of

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def run(engine: Engine, request: Prepared, cancel: CancelToken | None = None) -> list[Output]:
    return list(engine.generate(request, cancel or CancelToken()))


def text_of(outputs: list[Output]) -> str:
    return "".join(output.text for output in outputs if isinstance(output, Text))


def end_of(outputs: list[Output]) -> Finished:
    last = outputs[-1]
    assert isinstance(last, Finished)
    return last


def ask(content: str) -> list[Message]:
    return [Message("user", content)]


def forget(engine: Engine) -> None:
    """Nothing of the next prompt is in memory."""
    engine.forget()


def test_it_says_what_the_model_computes_and_stops_at_the_end_of_turn(tmp_path: Path) -> None:
    with chain_engine(tmp_path, Tiny(chain=chain_of("A", "B", "é?"[1], "C"))) as engine:
        outputs = run(engine, engine.prepare_chat(ask("hi")))

    assert text_of(outputs) == "AB?C"
    assert end_of(outputs).reason is FinishReason.STOP
    assert end_of(outputs).completion_tokens == 4


def test_a_repeated_prompt_is_not_evaluated_again(engine: Engine) -> None:
    """All but the last token is reused, and the answer is the same."""
    forget(engine)
    request = engine.prepare_chat(ask("the same words"), limits=Limits(max_tokens=30))

    first, second = run(engine, request), run(engine, request)

    assert end_of(first).cached_tokens < 5
    assert end_of(second).cached_tokens == len(request.tokens) - 1
    assert text_of(first) == text_of(second)


def test_a_longer_chat_reuses_the_common_beginning(engine: Engine) -> None:
    """And says what it would have said without."""
    limits = Limits(max_tokens=20)
    long = [*ask("one"), Message("assistant", "two"), Message("user", "three")]
    forget(engine)
    fresh = run(engine, engine.prepare_chat(long, limits=limits))
    forget(engine)
    run(engine, engine.prepare_chat(ask("one"), limits=limits))

    reused = run(engine, engine.prepare_chat(long, limits=limits))

    assert end_of(reused).cached_tokens > len("user\none")
    assert text_of(reused) == text_of(fresh)


def test_a_prompt_longer_than_a_batch_is_evaluated_in_chunks(tmp_path: Path) -> None:
    """More rows than `n_batch` in one call would abort the process."""
    with chain_engine(tmp_path, Tiny(context=4096)) as engine:
        request = engine.prepare_chat(ask("x" * 2000), limits=Limits(max_tokens=2))
        outputs = run(engine, request)

    steps = [o.processed for o in outputs if isinstance(o, PromptProgress)]
    assert steps[-1] == len(request.tokens) > 2000
    assert len(steps) > 4
    assert all(b - a <= 512 for a, b in itertools.pairwise(steps))


def test_the_context_can_be_filled_to_the_brim(engine: Engine) -> None:
    forget(engine)
    overhead = len(engine.prepare_chat(ask("x")).tokens) - 1
    length = engine.facts.context_length
    request = engine.prepare_chat(ask("x" * (length - overhead - 1)))

    assert len(request.tokens) == length - 1
    assert end_of(run(engine, request)).reason is FinishReason.LENGTH


def test_a_request_longer_than_the_context_is_refused_with_both_numbers(engine: Engine) -> None:
    with pytest.raises(RequestProblem, match=r"has 6\d\d tokens.* holds 512"):
        engine.prepare_chat(ask("x" * 600))


@pytest.mark.parametrize("wanted", [1, 7])
def test_no_more_tokens_than_asked_for(engine: Engine, wanted: int) -> None:
    outputs = run(engine, engine.prepare_raw("abc", limits=Limits(max_tokens=wanted)))

    assert end_of(outputs).completion_tokens == wanted
    assert end_of(outputs).reason is FinishReason.LENGTH


def test_sampling_depends_on_the_seed_alone(engine: Engine) -> None:
    def sample(seed: int | None) -> str:
        sampling = Sampling(temperature=2.0, top_k=0, top_p=1.0, seed=seed)
        request = engine.prepare_raw("abc", sampling, Limits(max_tokens=30))
        return text_of(run(engine, request))

    assert sample(7) == sample(7)
    assert sample(7) != sample(8)
    assert sample(None) != sample(None)


def test_top_k_one_is_greedy(engine: Engine) -> None:
    limits = Limits(max_tokens=20)
    hot = engine.prepare_raw("abc", Sampling(temperature=2.0, top_k=1, seed=1), limits)

    greedy = run(engine, engine.prepare_raw("abc", limits=limits))

    assert text_of(run(engine, hot)) == text_of(greedy)


def test_a_stop_string_across_tokens_ends_the_answer(tmp_path: Path) -> None:
    with chain_engine(tmp_path, Tiny(chain=chain_of(*LETTERS))) as engine:
        outputs = run(engine, engine.prepare_chat(ask("hi"), limits=Limits(stop=("def", "zz"))))
        held = run(engine, engine.prepare_chat(ask("hi"), limits=Limits(stop=("zz",))))

    assert (text_of(outputs), end_of(outputs).reason) == ("abc", FinishReason.STOP)
    assert text_of(held) == LETTERS


def test_a_forced_text_goes_in_where_it_belongs(tmp_path: Path) -> None:
    """The model goes on behind it."""
    spec = Tiny(chain={**chain_of(*"abcdef"), "!": "x", "x": "y", "y": "<|im_end|>"})
    limits = Limits(forced=(Forced("bc", "(f)!"),))
    with chain_engine(tmp_path, spec) as engine:
        outputs = run(engine, engine.prepare_chat(ask("hi"), limits=limits))

    assert text_of(outputs) == "abc(f)!xy"
    assert end_of(outputs).completion_tokens == 9


def test_a_token_that_overshoots_the_place_is_cut(tmp_path: Path) -> None:
    """Training never saw `after` and the text in one token with something between."""
    spec = Tiny(chain={**chain_of("a", "bc?"), "!": "<|im_end|>"}, words=["bc?"])
    limits = Limits(forced=(Forced("abc", "!"),))
    with chain_engine(tmp_path, spec) as engine:
        outputs = run(engine, engine.prepare_chat(ask("hi"), limits=limits))
        # What follows reuses the memory: it holds the cut token, not the one that overshot.
        again = engine.prepare_raw("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nabc!?")
        cached = end_of(run(engine, again)).cached_tokens

    assert text_of(outputs) == "abc!"
    assert cached == len(again.tokens) - 1


THOUGHT = Budget(4, "</t>", "\n</t>\n\n")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("a</t>bcdefgh", "a</t>CODE(bcdefgh"),  # it ends by itself, and the code follows
        ("abcdefgh", "abcd\n</t>CODE(efgh"),  # it is ended, and the code follows all the same
    ],
)
def test_an_end_to_reasoning_and_a_forced_code(tmp_path: Path, said: str, text: str) -> None:
    """Each sees what the other has put in."""
    chain = chain_of(*said) | {"(": text[text.index("(") + 1]}
    limits = Limits(max_tokens=60, forced=(Forced("</t>", "CODE("),), budget=THOUGHT)
    with chain_engine(tmp_path, Tiny(chain=chain)) as engine:
        outputs = run(engine, engine.prepare_chat(ask("x"), limits=limits))

    assert text_of(outputs) == text
    assert end_of(outputs).completion_tokens == len(text)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (["a", *"bcdefgh"], "abcdefgh"),
        # What is put in ends with the line break from which it began.
        (["<think>", *"abcdefgh"], "<think>abc\n</think>\n\n<think>abcdefgh"),
    ],
)
def test_only_an_answer_that_thinks_has_a_budget(
    tmp_path: Path, said: list[str], text: str
) -> None:
    """Qwen3-Coder knows the tag and does not think: its code stays as it is."""
    spec = Tiny(chain=chain_of(*said), specials=("<think>", "</think>"), format=None)
    body = {"messages": [{"role": "user", "content": "x"}], "reasoning_budget": 4}
    asked = parse_chat(json.dumps(body).encode())
    with chain_engine(tmp_path, spec) as engine:
        outputs = run(engine, prepare(engine, asked))

    assert text_of(outputs) == text


@pytest.mark.parametrize("most", [1, 3, 4, 5, 9, 20])
def test_what_is_put_in_counts_as_generated(tmp_path: Path, most: int) -> None:
    """No more tokens than asked for, and no text without its tokens."""
    limits = Limits(max_tokens=most, forced=(Forced("bc", "(é)!"),))
    with chain_engine(tmp_path, Tiny(chain=chain_of(*"abcd") | {"!": "d"})) as engine:
        outputs = run(engine, engine.prepare_chat(ask("x"), limits=limits))

    whole = "abc(é)!d".encode()
    assert text_of(outputs) == whole[:most].decode(errors="ignore")
    assert end_of(outputs).completion_tokens == min(most, len(whole))


def test_a_forced_place_may_begin_in_the_prefill(tmp_path: Path) -> None:
    spec = Tiny(chain={"a": "b", "b": "c", "!": "<|im_end|>"})
    limits = Limits(forced=(Forced("ab", "!"),))
    with chain_engine(tmp_path, spec) as engine:
        request = engine.prepare_chat([*ask("hi"), Message("assistant", "xa")], limits=limits)
        assert text_of(run(engine, request)) == "b!"


def test_fill_in_the_middle_uses_the_models_own_tokens(engine: Engine) -> None:
    """Prefix, suffix, middle; special texts in a file stay text."""
    before, after, middle = (
        engine.vocabulary.specials[f"<|fim_{part}|>"] for part in ("prefix", "suffix", "middle")
    )
    plain = engine.vocabulary.tokenize

    tokens = list(engine.prepare_fill("a<|fim_middle|>", "b").tokens)

    assert tokens == [before, *plain("a<|fim_middle|>"), after, *plain("b"), middle]


def test_fill_in_the_middle_keeps_what_is_near(engine: Engine) -> None:
    """A file that does not fit is cut at its far ends."""
    request = engine.prepare_fill("p" * 2000 + "A", "B" + "s" * 2000, limits=Limits(max_tokens=50))

    text = engine.vocabulary.text(list(request.tokens))
    assert 250 < len(request.tokens) <= engine.facts.context_length - 50
    assert "pAB" in text
    assert text.count("p") > 1.5 * text.count("s") > 0


def test_a_model_without_these_tokens_is_refused(tmp_path: Path) -> None:
    with (
        chain_engine(tmp_path, Tiny(fim=False)) as engine,
        pytest.raises(ModelProblem, match="fill-in-the-middle"),
    ):
        engine.prepare_fill("a", "b")


def test_cancelled_before_it_starts_nothing_is_evaluated(engine: Engine) -> None:
    forget(engine)
    cancel = CancelToken()
    cancel.cancel()

    outputs = run(engine, engine.prepare_raw("abc"), cancel)

    assert end_of(outputs).reason is FinishReason.CANCELLED
    assert text_of(outputs) == ""


def test_a_cancel_between_two_tokens_ends_the_answer(engine: Engine) -> None:
    """No decode call starts after it; the next request is served as ever."""
    cancel = CancelToken()
    request = engine.prepare_raw("abc", limits=Limits(max_tokens=200))
    outputs: list[Output] = []
    for output in engine.generate(request, cancel):
        outputs.append(output)
        if isinstance(output, Text) and output.tokens >= 5:
            cancel.cancel()

    assert end_of(outputs).reason is FinishReason.CANCELLED
    assert end_of(outputs).completion_tokens <= 6
    again = run(engine, engine.prepare_raw("abc", limits=Limits(max_tokens=5)))
    assert text_of(again) == text_of(outputs)[: len(text_of(again))]


def test_leaving_an_answer_early_is_harmless(engine: Engine) -> None:
    request = engine.prepare_raw("abc", limits=Limits(max_tokens=50))
    expected = text_of(run(engine, request))
    generator = engine.generate(request, CancelToken())
    list(itertools.islice(generator, 4))
    generator.close()  # type: ignore[attr-defined]

    assert text_of(run(engine, request)) == expected
