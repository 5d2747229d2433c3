"""llama-server's routes, on the real daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import locations
from assistant.daemon.metrics import render
from assistant.engine.types import Figures, Role
from tests.support.daemons import chat, daemon, events
from tests.support.tiny_gguf import Tiny, chain_of, write

REASONED = "## Intent\nAdd.\n## Steps\n1. go\n"
CODE = "## Code\n```python\nx\n```"


@pytest.fixture(scope="module")
def http(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One daemon for tests that do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSISTANT_HOME", str(tmp_path_factory.mktemp("shared")))
        transport = httpx.HTTPTransport(uds=os.fspath(locations.socket_path()))
        with (
            daemon(models / "abcd.gguf"),
            httpx.Client(transport=transport, base_url="http://daemon", timeout=30) as made,
        ):
            patch.undo()
            yield made


def streamed(http: httpx.Client, url: str, **body: Any) -> list[dict[str, Any]]:
    with http.stream("POST", url, json=body | {"stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return events(response.iter_lines())


def test_every_name_of_a_route_is_known(http: httpx.Client) -> None:
    for url in ("/v1/chat/completions", "/chat/completions"):
        answer = http.post(url, json=chat()).json()
        assert answer["choices"][0]["message"]["content"] == "ABCD"
    for url in ("/completion", "/completions"):
        answer = http.post(url, json={"prompt": "A", "n_predict": 2}).json()
        assert (answer["content"], answer["stop"], answer["stop_type"]) == ("BC", True, "limit")
    assert http.get("/v1/health").json()["status"] == "ok"
    assert http.get("/models").json()["data"][0]["id"] == "tiny"


def test_a_completion_in_llama_servers_shape(http: httpx.Client) -> None:
    whole = http.post("/completion", json={"prompt": "A", "stop": ["D"]}).json()
    pieces = streamed(http, "/completion", prompt="A", n_predict=2)

    assert (whole["content"], whole["stop_type"]) in (("BC", "word"), ("BC", "eos"))
    assert whole["tokens_evaluated"] == 1
    assert "".join(piece["content"] for piece in pieces) == "BC"
    assert [piece["stop"] for piece in pieces[:-1]] == [False] * (len(pieces) - 1)
    assert pieces[-1]["stop"] is True
    assert pieces[-1]["timings"]["predicted_n"] == 2


def test_filling_in(http: httpx.Client) -> None:
    body = {"input_prefix": "A", "input_suffix": "B", "n_predict": 2}
    whole = http.post("/infill", json=body).json()
    pieces = streamed(http, "/infill", **body)

    assert whole["tokens_evaluated"] == 5
    assert whole["content"] == "".join(piece["content"] for piece in pieces)
    assert http.post("/infill", json={"input_prefix": "A"}).status_code == 400


def test_the_cost_of_a_stream_comes_as_asked(http: httpx.Client) -> None:
    plain = streamed(http, "/v1/chat/completions", **chat())
    asked = streamed(http, "/v1/chat/completions", **chat(stream_options={"include_usage": True}))

    assert plain[-1]["choices"][0]["finish_reason"] == "stop"
    assert plain[-1]["usage"]["completion_tokens"] == 4
    assert asked[-2]["choices"][0]["finish_reason"] == "stop"
    assert "usage" not in asked[-2]
    assert (asked[-1]["choices"], asked[-1]["usage"]["completion_tokens"]) == ([], 4)
    timings = asked[-1]["timings"]
    assert timings["predicted_per_second"] > 0
    assert timings["cache_n"] + timings["prompt_n"] == asked[-1]["usage"]["prompt_tokens"]


def test_reasoning_of_our_format_comes_apart(tmp_path: Path) -> None:
    """Though its tokens end anywhere."""
    words = ["## Intent\nAdd.\n## Ste", "ps\n1. go\n## ", "Code\n```python\nx\n```"]
    model = write(tmp_path / "ours.gguf", Tiny(chain=chain_of(*words), words=words))
    transport = httpx.HTTPTransport(uds=os.fspath(locations.socket_path()))
    with daemon(model), httpx.Client(transport=transport, base_url="http://d") as http:
        message = http.post("/v1/chat/completions", json=chat()).json()["choices"][0]["message"]
        raw = http.post("/v1/chat/completions", json=chat(reasoning_format="none")).json()
        pieces = streamed(http, "/v1/chat/completions", **chat(reasoning_format="deepseek"))
    deltas = [piece["choices"][0]["delta"] for piece in pieces]

    assert (message["reasoning_content"], message["content"]) == (REASONED, CODE)
    assert raw["choices"][0]["message"] == {"role": "assistant", "content": REASONED + CODE}
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == REASONED
    assert "".join(delta.get("content") or "" for delta in deltas) == CODE


def test_reasoning_ends_with_its_budget(tmp_path: Path) -> None:
    """The code follows, in the form of the model."""
    words = ["## Intent\n", "and ", "done"]
    chain = {"\n": "## Intent\n", "## Intent\n": "and ", "and ": "and ", "done": "<|im_end|>"}
    model = write(tmp_path / "thinks.gguf", Tiny(chain=chain, words=words))
    transport = httpx.HTTPTransport(uds=os.fspath(locations.socket_path()))
    with daemon(model), httpx.Client(transport=transport, base_url="http://d") as http:
        body = chat(reasoning_budget=6, max_tokens=60)
        message = http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
        free = http.post("/v1/chat/completions", json=chat(max_tokens=60)).json()

    assert message["reasoning_content"].startswith("## Intent\nand and ")
    assert 4 <= message["reasoning_content"].count("and ") <= 6
    assert message["content"].startswith("## Code\n```python\n")
    assert free["choices"][0]["message"]["content"] == ""


def test_a_grammar_and_a_schema_are_followed(http: httpx.Client) -> None:
    def said(**fields: Any) -> str:
        answer = http.post("/v1/chat/completions", json=chat(max_tokens=20, **fields)).json()
        return str(answer["choices"][0]["message"]["content"])

    assert said(grammar='root ::= "xyz"') == "xyz"
    assert said(json_schema={"enum": ["only"]}) == '"only"'
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": 12}}}
    assert said(response_format=wanted) == "12"
    for wrong in ({"grammar": "root ::= ("}, {"json_schema": {"type": "nonsense"}}):
        refused = http.post("/v1/chat/completions", json=chat(**wrong))
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "RequestProblem")


def test_no_tokens_warm_the_cache(http: httpx.Client) -> None:
    prompt = "the prompt that is read ahead"
    warmed = http.post("/completion", json={"prompt": prompt, "n_predict": 0}).json()
    answer = http.post("/completion", json={"prompt": prompt, "n_predict": 1}).json()

    assert (warmed["content"], warmed["tokens_predicted"]) == ("", 0)
    assert answer["tokens_cached"] == len(prompt) - 1


def test_guessing_ahead_changes_nothing_but_the_time(http: httpx.Client) -> None:
    plain = http.post("/v1/chat/completions", json=chat()).json()
    guessed = http.post("/v1/chat/completions", json=chat(lookup=["xABCDABCD"])).json()

    assert guessed["choices"] == plain["choices"]


def test_tokens_of_a_text_and_back(http: httpx.Client) -> None:
    text = "def f():\n    return '\u20ac'"
    tokens = http.post("/tokenize", json={"content": text}).json()["tokens"]
    pieces = http.post("/tokenize", json={"content": "\u20ac", "with_pieces": True}).json()

    assert http.post("/detokenize", json={"tokens": tokens}).json() == {"content": text}
    assert [entry["piece"] for entry in pieces["tokens"]] == [[0xE2], [0x82], [0xAC]]
    special = {"content": "<|im_end|>"}
    assert len(http.post("/tokenize", json=special).json()["tokens"]) == 1
    plain = http.post("/tokenize", json=special | {"parse_special": False}).json()["tokens"]
    assert len(plain) > 1
    wrong = http.post("/detokenize", json={"tokens": [10**9]})
    assert (wrong.status_code, "'tokens' holds" in wrong.text) == (400, True)


def test_properties(http: httpx.Client) -> None:
    props = http.get("/props").json()

    assert props["default_generation_settings"]["n_ctx"] == 512
    assert props["model_alias"] == "tiny"


def test_metrics_are_what_prometheus_reads(http: httpx.Client) -> None:
    response = http.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "assistant:requests_open 0\n" in response.text
    for line in response.text.splitlines():
        name, _, value = line.rpartition(" ")
        assert line.startswith("#") or (name and float(value) >= 0)


def test_figures_carry_their_role() -> None:
    figures = Figures(1, 2, 8192, 100, 3, 50, 40, 30, 20, 1, 8, 6, 0.5, 1.25, "exact")

    text = render({Role.GENERATE: figures, Role.INLINE: figures}, [("x:y", "Help.", 1.5)])

    assert 'llamacpp:prompt_tokens_total{role="generate"} 50\n' in text
    assert 'llamacpp:prompt_seconds_total{role="inline"} 0.500000\n' in text
    assert 'assistant:decode_aborted_total{role="generate"} 1\n' in text
    assert "# TYPE llamacpp:requests_processing gauge\n" in text
    assert text.count("# HELP llamacpp:prompt_tokens_total") == 1
    assert text.endswith("x:y 1.500000\n")


def test_a_request_id_is_a_plain_word(http: httpx.Client) -> None:
    for wrong in ("a b", "x" * 129, "a/b", "\u00e9".encode()):
        headers = {b"x-request-id": wrong if isinstance(wrong, bytes) else wrong.encode()}
        response = http.post("/v1/chat/completions", json=chat(), headers=headers)
        assert response.status_code == 400
    good = http.post("/v1/chat/completions", json=chat(), headers={"x-request-id": "a-1.b:c_"})
    assert good.headers["x-request-id"] == "a-1.b:c_"
