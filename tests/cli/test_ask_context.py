"""`ask` with files that the request names, and `--explain-context`: exactly what is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import REASONING, Assistant
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.support.tiny_gguf import Tiny, chain_of, write

CODE = "def double(x):\n    return 2 * x\n"
ANSWER = f"{''.join(REASONING)}## Code\n```python\n{CODE}```\n"
SHOP = (
    'from rates import fee\n\n\ndef total(items):\n    """Sum."""\n    return sum(items) + fee()\n'
)
RATES = 'def fee():\n    """In cents."""\n    return 5\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    root = tmp_path / "project"
    (root / "shop").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / ".env").write_text("PASSWORD=hunter2\n")
    (root / "shop" / "shop.py").write_text(SHOP)
    (root / "shop" / "rates.py").write_text(RATES)
    (root / "long.py").write_text("".join(f"name_{n} = {n}\n" for n in range(3000)))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint([ANSWER], context_length=8192) as server:
        yield server


def ask(assistant: Assistant, server: ScriptedEndpoint, *arguments: str):
    return assistant.run("ask", *arguments, ASSISTANT_ENDPOINT_URL=server.url)


def sent_to(server: ScriptedEndpoint) -> list[dict[str, str]]:
    (body,) = server.requests
    return body["messages"]


def test_a_function_that_is_named_goes_along_with_what_it_uses(shared, project, server) -> None:
    done = ask(shared, server, "double(x), as in @shop/shop.py:total")

    assert (done.returncode, done.stdout) == (0, CODE)
    user = sent_to(server)[-1]["content"]
    assert user.endswith("double(x), as in @shop/shop.py:total")
    function = SHOP[SHOP.index("def total") :].rstrip()
    assert f"From shop/shop.py:\n```\n{function}\n```" in user
    assert 'From shop/rates.py:\n```\ndef fee():\n    """In cents."""\n    ...\n```' in user
    assert "return 5" not in user
    assert user.index("rates.py") < user.index("def total")


def test_without_a_mention_nothing_is_added(shared, project, server) -> None:
    ask(shared, server, "double(x), mail me@example.org")
    assert sent_to(server)[-1]["content"] == "double(x), mail me@example.org"


def test_explained_is_what_is_sent_to_the_letter(shared, project, server) -> None:
    """Before the answer, on stderr; the code alone is on stdout."""
    done = ask(shared, server, "--explain-context", "double(x), see @shop/rates.py and @long.py")

    assert (done.returncode, done.stdout) == (0, CODE)
    system, user = sent_to(server)
    told = done.stderr[: done.stderr.index("\nIntent\n")]
    for message in (system, user):
        assert message["content"].rstrip("\n") in told
    assert f"--- user: {-(-len(user['content']) // 3)} tokens" in told
    assert "Sent to scripted, whose context has 8192 tokens; counted by an estimate" in told
    assert "  shop/rates.py: " in told and ", named in the request" in told
    assert "Left out:\n  long.py: no room (named in the request)" in told


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("from shop.rates import fee\n\n", "it imports shop.rates of the project"),
        ("", "it needs names of its file"),
    ],
)
def test_code_that_uses_what_was_named_is_not_wrong_for_that(
    shared, project, lines: str, said: str
) -> None:
    """The sandbox has nothing of the project, so the code is not run."""
    code = f'{lines}def twice():\n    """\n    >>> twice()\n    10\n    """\n    return 2 * fee()\n'
    with ScriptedEndpoint([f"```python\n{code}```\n"], context_length=8192) as server:
        done = ask(shared, server, "twice the fee of @shop/rates.py:fee")
    assert (done.returncode, done.stdout) == (0, code)
    assert "verdict: parsed: it parses and its names resolve; " in done.stderr
    assert said in done.stderr


def test_code_that_needs_nothing_of_it_is_run_as_ever(shared, project) -> None:
    wrong = 'def double(x):\n    """\n    >>> double(2)\n    5\n    """\n    return 2 * x\n'
    undefined = "from shop.rates import fee\n\ndef double(x):\n    return fee() * unheard\n"
    for code in (wrong, undefined):
        with ScriptedEndpoint([f"```python\n{code}```\n"], context_length=8192) as server:
            done = ask(shared, server, "double(x), see @shop/rates.py")
        assert done.returncode == 3, done.stderr
    assert "unheard is not defined" in done.stderr


def test_what_finds_no_room_is_told_even_if_nobody_asks(shared, project, server) -> None:
    done = ask(shared, server, "double(x), see @long.py")
    assert "long.py is not sent: no room. scripted has room for 2048 tokens" in done.stderr
    assert "name_1" not in sent_to(server)[-1]["content"]


def test_as_json_it_is_an_object_before_the_events(shared, project, server) -> None:
    done = ask(shared, server, "--explain-context", "--json", "double(x), see @shop/rates.py")

    first, *events = map(json.loads, done.stdout.splitlines())
    assert first["type"] == "context"
    assert [(one["role"], one["content"]) for one in first["messages"]] == [
        (one["role"], one["content"]) for one in sent_to(server)
    ]
    assert all(one["tokens"] > 0 for one in first["messages"])
    (piece,) = first["pieces"]
    assert (piece["name"], piece["why"]) == ("shop/rates.py", "named in the request")
    assert piece["text"] == RATES and 0 < piece["tokens"] <= first["budget"]
    assert (first["budget"], first["context_length"], first["left_out"]) == (2048, 8192, [])
    assert events[-1]["type"] == "done"
    assert "context" not in {event["type"] for event in events}


def test_candidates_are_asked_with_the_same_and_it_is_told_once(shared, project, server) -> None:
    done = ask(shared, server, "--explain-context", "--candidates", "2", "double(x)")
    assert len(server.requests) == 2
    assert done.stderr.count("Sent to scripted") == 1


@pytest.mark.parametrize(
    ("request_text", "said"),
    [
        ("@.env", "@.env is not sent: .env may hold secrets."),
        ("@shop/shp.py", "Did you mean @shop/shop.py?"),
        ("@shop/shop.py:totl", "It defines total."),
    ],
)
def test_what_can_not_be_sent_ends_it_before_any_model_is_asked(
    shared, project, server, request_text: str, said: str
) -> None:
    done = ask(shared, server, f"double(x), see {request_text}")
    assert (done.returncode, done.stdout, server.requests) == (1, "", [])
    assert said in done.stderr
    assert "hunter2" not in done.stderr


def test_the_models_own_tokenizer_counts_and_a_small_model_sees_the_request_alone(
    assistant, project, tmp_path
) -> None:
    """With the real daemon: the count of the request is that of `/tokenize`, here one a byte."""
    parts = (*REASONING, "## Code\n```python\n", "def double(x):\n", "    return 2 * x\n", "```")
    spec = Tiny(chain=chain_of(*parts), words=parts, context=8192, format=None)
    model = write(tmp_path / "large.gguf", spec)
    request = "double(x), see @shop/rates.py"

    done = assistant.run("ask", "--model", str(model), "--explain-context", "--json", request)
    told = json.loads(done.stdout.splitlines()[0])
    assert told["counted_by"] == "the model's own tokenizer"
    (piece,) = told["pieces"]
    assert piece["text"] == RATES
    spaces = RATES.count(" ") - 2  # runs of them are one token
    assert len(RATES) - spaces < piece["tokens"] < len(f"shop/rates.py\n{RATES}") + 16
    sent = told["messages"][-1]
    assert len(sent["content"]) / 3 < sent["tokens"] <= len(sent["content"])

    small = assistant.run("ask", "--model", assistant.model("good"), "--explain-context", request)
    assert "it sees the request alone." in small.stderr
    assert "shop/rates.py is not sent: no room." in small.stderr
    assert "In cents" not in small.stderr
