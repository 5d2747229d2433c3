"""The parts of the benchmark that a wrong number would come from."""

from __future__ import annotations

import json
import operator
import socket
from pathlib import Path

import gguf
import numpy as np
import pytest

from assistant.models.gguf import read_header
from tests.bench.serving import blocks, gguf_file, shapes, sides, vocabulary
from tests.bench.serving.blocks import Kind
from tests.bench.serving.client import Stream, Unanswered, parse
from tests.bench.serving.report import Series, paired, percentile
from tests.support import tiny_gguf


def stream_of(*chunks: tuple[float, bytes]) -> Stream:
    """A stream that was sent at 1.0 and received these bytes."""
    with socket.socket() as unused:
        return Stream(unused, 1.0, list(chunks))


def event(body: dict[str, object]) -> bytes:
    """An event as both servers send it: one piece of a chunked body."""
    data = f"data: {json.dumps(body)}\n\n".encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TIMINGS = {"cache_n": 3, "prompt_n": 5, "prompt_ms": 7.0, "predicted_n": 3, "predicted_ms": 9.0}


def text(content: str) -> bytes:
    return event({"choices": [{"text": content}]})


def test_an_event_counts_from_the_arrival_of_its_last_byte() -> None:
    second = text("b")
    answer = parse(
        stream_of(
            (2.0, HEAD + text("a") + second[:9]),
            (2.5, second[9:]),
            (3.0, event({"choices": [{"delta": {"content": "c"}}]})),
            (4.0, event({"choices": [{"text": ""}], "timings": TIMINGS}) + b"data: [DONE]\n\n"),
        )
    )
    assert answer.text == "abc"
    assert answer.times == (2.0, 2.5, 3.0)
    assert (answer.first_ms, answer.token_ms, answer.total_ms) == (1000, 500, 2000)
    assert (answer.prompt_tokens, answer.evaluated) == (8, 5)


@pytest.mark.parametrize(
    "received",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n{}", HEAD + event({"error": {"code": 500}}),
     HEAD + text("a"), HEAD + event({"timings": TIMINGS})],
)  # fmt: skip
def test_what_is_no_whole_answer_is_no_measurement(received: bytes) -> None:
    with pytest.raises(Unanswered):
        parse(stream_of((2.0, received)))


@pytest.mark.parametrize("kind", [Kind.Q4_K, Kind.Q6_K])
def test_random_blocks_have_the_asked_deviation(kind: Kind) -> None:
    silent = np.zeros(300, bool)
    silent[7] = True
    data = b"".join(blocks.pieces(np.random.default_rng(1), (300, 512), kind, 0.02, silent))
    stored = np.frombuffer(data, np.uint8).reshape(300, -1)
    weights = gguf.quants.dequantize(stored, kind)
    assert weights.shape == (300, 512)
    assert np.isfinite(weights).all()
    assert not weights[7].any()
    spoken = weights[~silent]
    assert abs(spoken.std() - 0.02) < 0.0004
    assert abs(spoken.mean()) < 0.001


def test_a_written_file_is_what_was_given(tmp_path: Path) -> None:
    values = np.arange(96, dtype=np.float32).reshape(3, 32)
    tensors = [
        gguf_file.given("a.weight", values, Kind.F16),
        gguf_file.given("b.weight", np.ones(5)),
        gguf_file.given("c.weight", values),
    ]
    path = tmp_path / "some.gguf"
    gguf_file.write(path, lambda writer: writer.add_name("some"), tensors)
    assert read_header(path).text("general.name") == "some"
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    assert np.array_equal(found["a.weight"].data, values.astype(np.float16))
    assert np.array_equal(found["c.weight"].data, values)
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.gguf"]


def test_sizes_are_those_of_the_real_files() -> None:
    """Llama-3.1-8B in Q4_K_M has 193 tensors in Q4_K and 33 in Q6_K, and 4.92 GB."""
    silent = np.zeros(128256, bool)
    tensors = list(shapes._tensors(shapes.EIGHT_B, silent))
    kinds = [tensor.kind for tensor in tensors]
    assert (kinds.count(Kind.Q4_K), kinds.count(Kind.Q6_K)) == (193, 33)
    assert round(sum(tensor.size for tensor in tensors) / 1e9, 2) == 4.91
    small = sum(tensor.size for tensor in shapes._tensors(shapes.ONE_B, silent))
    assert round(small / 1e6) == 800


def test_prompts_are_new_and_have_the_asked_length(tmp_path: Path) -> None:
    words = [" one", " two", " three"]
    prompts = vocabulary.Prompts(words, 0)
    first, second = prompts.fresh(40), prompts.fresh(40)
    assert first != second
    assert len(first.split()) == len(second.split()) == 40


def test_rounds_are_compared_with_themselves() -> None:
    """The machine became twice as slow; ours took a tenth more all the time."""
    ours, theirs = Series("ours", (1.1, 2.2, 2.2)), Series("theirs", (1.0, 2.0, 2.0))
    assert paired(ours, theirs, operator.truediv) == pytest.approx(1.1)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile(range(1, 101), 0.95) == 95
    assert percentile([5.0], 0.95) == 5
    assert percentile([1, 2, 3, 4], 0.95) == 4


def test_the_daemon_is_measured_over_its_socket(tmp_path: Path) -> None:
    chain = tiny_gguf.chain_of(*"hello")
    path = tiny_gguf.write(tmp_path / "chain.gguf", tiny_gguf.Tiny(chain=chain))
    with sides.ours(path, 1, 512) as side:
        client = side.client()
        answer = client.ask({"prompt": "a\n", "max_tokens": 3, "temperature": 0})
        assert (answer.text, answer.tokens) == ("hel", 3)
        assert answer.sent < answer.times[0] <= answer.times[-1]
        stream = client.send({"prompt": "b\n", "max_tokens": 100})
        client.cancel(stream)
        with pytest.raises(Unanswered, match="temperature"):
            client.ask({"prompt": "a", "temperature": "hot"})
        assert side.cpu_seconds() > 0
