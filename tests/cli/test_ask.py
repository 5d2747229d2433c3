"""`assistant ask` against the real daemon: what goes where, and the exit codes."""

from __future__ import annotations

import json
import subprocess

import pytest

from assistant.events import Done, Failed, Verdict, from_json
from assistant.sandbox import layers
from tests.answer.scripted import assert_contract, code_of, reasoning_of
from tests.cli.conftest import CODE

LAYER = layers()[0].value if layers() else "none"
real = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")


# The best layer here, as the command names it; without one these tests have nothing to say.
LAYER = layers()[0].value if layers() else "none"


def events(stdout: str):
    return [from_json(json.loads(line)) for line in stdout.splitlines()]


def test_the_code_alone_is_on_stdout_and_the_rest_on_stderr(shared):
    done = shared.ask("good", "add two numbers")

    assert done.returncode == 0
    assert done.stdout == CODE
    for said in ("Intent\nAdd two numbers.\n", "Edge cases\n- no numbers\n", "verdict: parsed"):
        assert said in done.stderr
    assert "def add" not in done.stderr


def test_the_code_comes_after_its_verdict(shared):
    """Both streams into one pipe show the order."""
    done = subprocess.run(
        shared.command("ask", "--model", shared.model("good"), "add two numbers"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=shared.environment(ASSISTANT_HOME=str(shared.home / "good")),
    )
    text = done.stdout.decode()

    assert text.index("Intent") < text.index("verdict: parsed") < text.index("def add")


def test_stream_prints_the_code_before_its_verdict(shared):
    done = subprocess.run(
        shared.command("ask", "--stream", "--model", shared.model("good"), "add two numbers"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=shared.environment(ASSISTANT_HOME=str(shared.home / "good")),
    )
    text = done.stdout.decode()

    assert CODE in text
    assert text.index("def add") < text.index("verdict: parsed")


def test_json_is_the_event_stream_of_the_contract(shared):
    done = shared.ask("good", "--json", "add two numbers")
    found = events(done.stdout)

    assert done.returncode == 0
    assert done.stderr == ""
    assert_contract(found)
    assert code_of(found) == CODE
    assert reasoning_of(found) == "Add two numbers.\n1. Add them.\nNone\n- no numbers\n"
    last = json.loads(done.stdout.splitlines()[-1])
    assert set(last) == {
        *("type", "candidate", "prompt_tokens", "cached_tokens", "completion_tokens"),
        *("ttft_ms", "tokens_per_second"),
    }
    assert last["completion_tokens"] == 8
    assert last["prompt_tokens"] > 10
    assert last["ttft_ms"] > 0


def test_asking_again_reads_the_prompt_from_the_cache(shared):
    request = "add two numbers, and take them from the same prompt"
    shared.ask("good", "--json", request)
    again = json.loads(shared.ask("good", "--json", request).stdout.splitlines()[-1])

    assert again["cached_tokens"] >= again["prompt_tokens"] - 1


@real
@pytest.mark.parametrize(
    ("tests", "code", "verdict"),
    [
        ("assert add(1, 2) == 3\n", 0, f"pass ({LAYER}): 1 assert held"),
        (
            "def test_add():\n    assert add(2, 2) == 5\n",
            3,
            f"wrong ({LAYER}): test_add.py line 2: assert add(2, 2) == 5 (got 4, expected 5)",
        ),
        ("assert add('a', 1)\n", 3, f"error ({LAYER}): TypeError"),
        ("import time\ntime.sleep(0)\nassert add([1], [2]) == [1, 2]", 0, "pass"),
    ],
)
def test_tests_decide_the_verdict_and_the_exit_code(shared, tmp_path, tests, code, verdict):
    file = tmp_path / "test_add.py"
    file.write_text(tests)
    done = shared.ask("good", "--tests", str(file), "add two numbers")

    assert done.returncode == code
    assert f"verdict: {verdict}" in done.stderr
    assert done.stdout == CODE


@real
@pytest.mark.parametrize(
    ("request_text", "code", "verdict"),
    [
        ("add two numbers, so that add(1, 2) == 3", 0, "the example of the request holds"),
        (
            "add numbers: add(1, 2) -> 4",
            3,
            "an example of the request: add(1, 2) gave 3, expected 4",
        ),
    ],
)
def test_the_examples_of_the_request_are_run(shared, request_text, code, verdict):
    done = shared.ask("good", request_text)

    assert done.returncode == code
    assert verdict in done.stderr
    assert f"({LAYER})" in done.stderr
    assert done.stdout == CODE


def test_a_name_that_nothing_binds_is_a_failed_check(shared):
    done = shared.ask("undefined", "add two numbers")

    assert done.returncode == 3
    assert "verdict: error: NameError at line 2" in done.stderr
    assert "missing is not defined" in done.stderr


def test_without_verification_nothing_is_checked(shared):
    done = shared.ask("undefined", "--no-verify", "add two numbers")

    assert done.returncode == 0
    assert "verdict: not checked: checks are switched off" in done.stderr


@pytest.mark.parametrize("arguments", [["-"], []])
def test_the_request_may_come_on_stdin(shared, arguments: list[str]):
    """The prompt has one token a byte, so its length shows that all of it arrived."""
    text = "add two numbers, ä and 😀\n"
    piped = shared.ask("good", "--json", *arguments, stdin=text)
    given = shared.ask("good", "--json", text.strip())

    assert piped.returncode == 0
    counts = [json.loads(done.stdout.splitlines()[-1])["prompt_tokens"] for done in (piped, given)]
    assert counts[0] == counts[1]


def test_words_without_quotes_are_one_request(shared):
    assert shared.ask("good", "add", "two", "numbers").stdout == CODE


class TestErrors:
    """One clear error, exit 1, and with --json the terminal event as well."""

    def failing(self, done, *said: str) -> None:
        assert done.returncode == 1
        assert f"\n{done.stderr}".count("\nError: ") == 1
        assert "Traceback" not in done.stderr
        for one in said:
            assert one in done.stderr, done.stderr
        for line in done.stdout.splitlines():
            assert from_json(json.loads(line))

    def terminal(self, done) -> Failed:
        found = events(done.stdout)
        assert not any(isinstance(event, Done | Verdict) for event in found)
        assert isinstance(found[-1], Failed)
        return found[-1]

    @pytest.mark.parametrize("stdin", ["", " \n\t", "\ufeff"])
    def test_an_empty_request(self, shared, stdin: str):
        done = shared.run("ask", "--json", stdin=stdin)

        self.failing(done, "The request is empty", "assistant ask")
        assert "empty" in self.terminal(done).reason

    def test_a_request_that_is_no_text(self, shared):
        done = shared.run("ask", "-", stdin=b"caf\xe9")

        self.failing(done, "not UTF-8", "byte 4")

    def test_a_request_longer_than_the_context_names_both_numbers(self, shared):
        done = shared.ask("good", "--json", "word " * 400)

        self.failing(done, "512")
        assert "512" in self.terminal(done).reason

    def test_a_model_that_is_missing(self, shared):
        done = shared.run("ask", "--json", "--model", "/nowhere/m.gguf", "add")

        self.failing(done, "/nowhere/m.gguf", "assistant models list")
        self.terminal(done)

    @pytest.mark.parametrize(
        ("content", "said"),
        [(b"once upon a time\n" * 100, "text"), (b"", "empty"), (None, "cut off")],
    )
    def test_a_model_that_is_broken(self, shared, tmp_path, content, said: str):
        """A text named .gguf, an empty file, and half of a real model."""
        whole = (shared.models / "good.gguf").read_bytes()
        file = tmp_path / "broken.gguf"
        file.write_bytes(whole[: len(whole) // 2] if content is None else content)
        done = shared.run("ask", "--model", str(file), "add")

        self.failing(done, str(file), said)

    def test_an_answer_without_code(self, shared):
        done = shared.ask("prose", "--json", "add two numbers")

        self.failing(done, "wrote no code")
        assert reasoning_of(events(done.stdout)).startswith("Add two numbers.")

    def test_an_answer_that_ends_before_its_code(self, shared):
        done = shared.ask("good", "--max-tokens", "3", "add two numbers")

        self.failing(done, "limit of 3 tokens", "--max-tokens")
        assert done.stdout == ""

    def test_a_state_folder_that_can_not_be_written(self, shared, tmp_path):
        """A file in its place stops root, too."""
        taken = tmp_path / "taken"
        taken.write_text("")
        done = shared.ask("good", "--json", "add", ASSISTANT_HOME=str(taken / "home"))

        self.failing(done, str(taken), "ASSISTANT_HOME")
        self.terminal(done)

    def test_settings_that_are_wrong(self, shared, tmp_path):
        (tmp_path / "config.toml").write_text("[ask]\nmax_tokens = 'x'\n[server]\nurl = 1\n")
        done = shared.run("ask", "--json", "add", ASSISTANT_HOME=str(tmp_path))

        self.failing(done, "config.toml: ask.max_tokens", "config.toml: server.url")

    def test_an_endpoint_that_is_not_there(self, shared):
        done = shared.run("ask", "--json", "add", ASSISTANT_ENDPOINT_URL="http://127.0.0.1:9/v1")

        self.failing(done, "http://127.0.0.1:9", "endpoint.url")

    def test_a_bug_is_one_line_and_a_traceback_with_debug(self, shared, tmp_path):
        """The debug flag works before and after the command."""
        for arguments in (
            ["--debug", "ask", "--model", "nope", "x"],
            ["ask", "--debug", "--model", "nope", "x"],
        ):
            done = shared.run(*arguments)

            assert done.returncode == 1
            assert "Traceback" in done.stderr
            assert "ModelProblem" in done.stderr
