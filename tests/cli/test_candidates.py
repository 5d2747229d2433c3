"""`ask --candidates` through a server whose answers are known: output, exit codes, interruption."""

from __future__ import annotations

import json
import signal

import pytest

from assistant.candidates import ORDER
from assistant.events import Done, Failed, Verdict, from_json
from assistant.sandbox import layers
from tests.answer.scripted import code_of
from tests.cli.conftest import Assistant
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

pytestmark = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")
RIGHT = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
BROKEN = "def add(a, b:\n"
ASKED = "`add(a, b)` adds two numbers"


def reply(code: str) -> str:
    return f"## Intent\nAdd.\n## Code\n```python\n{code}```\n"


def ask(assistant: Assistant, server: ScriptedEndpoint, *arguments: str):
    return assistant.run("ask", *arguments, ASSISTANT_ENDPOINT_URL=server.url)


def test_the_third_passes_and_its_code_alone_is_on_stdout(shared, tmp_path):
    tests = tmp_path / "test_add.py"
    tests.write_text("def test_add():\n    assert add(2, 1) == 3\n")
    fourth = Reply.of(reply(WRONG))
    fourth.hold(1)  # for ever: it is not waited for
    with ScriptedEndpoint([*map(reply, (WRONG, BROKEN, RIGHT)), fourth]) as server:
        done = ask(shared, server, "--candidates", "5", "--tests", str(tests), ASKED)
        fourth.wait_closed()

    assert (done.returncode, done.stdout) == (0, RIGHT)
    for number in (1, 2, 3):
        assert f"Candidate {number} of 5\n" in done.stderr
    assert "verdict on candidate 1: wrong" in done.stderr
    assert "verdict on candidate 2: error: SyntaxError" in done.stderr
    assert f"verdict on candidate 3: pass ({layers()[0].value}): 1 test" in done.stderr
    assert "1 of 3 candidates passed; the rest of 5 was not needed" in done.stderr
    assert len(server.requests) == 4
    assert [body["temperature"] for body in server.requests[:3]] == [0, 0.8, 0.8]
    assert len({body.get("seed") for body in server.requests[:3]}) == 3


def test_none_passes(shared):
    with ScriptedEndpoint([*map(reply, (WRONG, BROKEN, WRONG))]) as server:
        done = ask(shared, server, "--candidates", "3", f"{ASKED}; add(2, 1) == 3")

    assert (done.returncode, done.stdout) == (3, WRONG)
    assert "none of 3 candidates passed" in done.stderr


def test_json_shows_all_candidates_and_done_names_the_chosen_one(shared):
    with ScriptedEndpoint([*map(reply, (WRONG, RIGHT, f"{RIGHT}\n"))]) as server:
        done = ask(shared, server, "--json", "--candidates", "3", ASKED)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    events = [from_json(line) for line in lines]

    assert (done.returncode, done.stderr) == (0, "")
    assert [code_of(events, n) for n in range(3)] == [WRONG, RIGHT, f"{RIGHT}\n"]
    assert [line["replaces"] for line in lines if "replaces" in line] == [0, 1]
    assert [type(event) for event in events[-4:]] == [Verdict, Verdict, Verdict, Done]
    assert events[-1].candidate == events[-2].candidate == 1
    assert "2 of 3 candidates behave alike" in events[-2].detail


def test_a_server_that_fails_in_the_middle_is_one_error(shared):
    replies = [reply(WRONG), Reply(status=500, error="CUDA out of memory")]
    with ScriptedEndpoint(replies) as server:
        done = ask(shared, server, "--json", "--candidates", "4", ASKED)

    assert done.returncode == 1
    assert done.stderr.count("Error: ") == 1
    assert isinstance(from_json(json.loads(done.stdout.splitlines()[-1])), Failed)
    assert "CUDA out of memory" in done.stderr


def test_ctrl_c_ends_everything(shared):
    second = Reply.of(reply(RIGHT))
    second.hold(4)
    with ScriptedEndpoint([reply(WRONG), second]) as server:
        process = shared.start("ask", "--candidates", "3", ASKED, ASSISTANT_ENDPOINT_URL=server.url)
        second.wait_sent(4)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        second.wait_closed()

    assert (process.returncode, stdout) == (130, b"")
    assert stderr.decode().endswith("Interrupted.\n")


def test_the_help_states_the_order_of_choice(shared):
    told = " ".join(shared.run("ask", "--help").stdout.split())
    order = ", ".join(outcome.value for outcome in ORDER)

    assert f"the best is chosen: {order}, and last what has no code" in told


def test_an_interruption_names_the_candidate_that_was_being_written(shared):
    second = Reply.of(reply(RIGHT))
    second.hold(4)
    with ScriptedEndpoint([reply(WRONG), second]) as server:
        process = shared.start(
            *("ask", "--json", "--candidates", "3", ASKED), ASSISTANT_ENDPOINT_URL=server.url
        )
        second.wait_sent(4)
        read = []
        while not (read and json.loads(read[-1]).get("replaces") == 0):
            read.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)

    last = json.loads(rest.splitlines()[-1])
    assert process.returncode == 130
    assert (last["type"], last["candidate"]) == ("error", 1)
