"""A live endpoint: what it is asked, and everything that it can do wrong."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter

import pytest

from assistant.errors import EndpointProblem, TrainingProblem, UsageProblem
from assistant.format.completion import Rationale
from tests.support.teacher_server import GOOD, Reply, a_problem
from training.teachers.records import rows

READ = Rationale(
    "Sum the even numbers of nums.",
    ("Go over nums.", "Keep even ones: x % 2 == 0."),
    (),
    ("empty nums: 0",),
)
BAD = GOOD.replace("1. Go", "* Go")


def _recorded(tmp_path):
    return list(rows(tmp_path / "records.jsonl"))


def _tasks(server):
    """How often each task was asked for."""
    return Counter(body["messages"][1]["content"] for body in server.bodies)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_asked_for_once_and_kept(server, ask, tmp_path, stream):
    for _ in range(2):
        found = ask(3, stream=stream)
        assert [s.rationale for s in found.samples] == [READ] * 3
        assert [s.problem.id for s in found.samples] == ["t0", "t1", "t2"]
    assert len(server.bodies) == 3
    assert [row["usage"] for row in _recorded(tmp_path)] == [[100, 50]] * 3
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["stream"]) == ("big", 0.6, stream)


def test_samples_are_different_answers_in_their_order(server, ask):
    found = ask(2, samples=3, concurrency=6)
    assert [(s.problem.id, s.sample) for s in found.samples] == [
        (f"t{problem}", sample) for problem in range(2) for sample in range(3)
    ]
    assert len({(b["seed"], b["messages"][1]["content"]) for b in server.bodies}) == 6


def test_more_samples_later_ask_only_for_those(server, ask):
    ask(2)
    ask(2, samples=2)
    assert len(server.bodies) == 4


def test_as_many_at_once_as_are_allowed(server, ask):
    gate = threading.Event()
    server.behave = lambda number, body: Reply(wait=gate)
    asked = threading.Thread(target=ask, args=(12,), kwargs={"concurrency": 4})
    asked.start()
    server.wait_for(lambda: len(server.bodies) == 4)
    gate.set()
    asked.join()
    assert server.most_at_once == 4
    assert len(server.bodies) == 12


def test_a_broken_form_is_asked_for_again_with_the_reason(server, ask, tmp_path):
    server.behave = lambda number, body: Reply(BAD if number == 0 else GOOD)
    found = ask()
    assert [s.rationale for s in found.samples] == [READ]
    again = server.bodies[1]["messages"]
    assert [m["role"] for m in again] == ["system", "user", "assistant", "user"]
    assert again[2]["content"] == BAD
    assert "step 1 must begin with" in again[3]["content"]
    assert sum(found.rejected.values()) == 1
    assert [row["text"] for row in _recorded(tmp_path)] == [BAD, GOOD]
    ask()
    assert len(server.bodies) == 2


def test_a_form_that_stays_broken_costs_the_sample_and_no_other(server, ask):
    server.behave = lambda n, body: Reply(BAD if "number 1" in str(body) else GOOD)
    found = ask(3, attempts=3, max_failed_share=0.4)
    assert [s.problem.id for s in found.samples] == ["t0", "t2"]
    (failure,) = found.failures
    assert (failure.id, failure.sample) == ("t1", 0)
    assert "not accepted 3 times" in failure.reason
    assert len(server.bodies) == 5


def test_too_many_failures_stop_the_run(server, ask):
    server.behave = lambda number, body: Reply(BAD)
    with pytest.raises(EndpointProblem, match=r"3 samples failed.*max_failed_share=0\.2"):
        ask(10, attempts=1, max_failed_share=0.2)
    assert len(server.bodies) == 3


def test_what_was_cut_off_is_never_used_nor_shown_again(server, ask, tmp_path):
    server.behave = lambda number, body: Reply(finish="length")
    with pytest.raises(EndpointProblem, match="longer than 1024 tokens"):
        ask(attempts=2)
    server.behave = lambda number, body: Reply()
    assert len(ask(attempts=2).samples) == 1
    assert len(server.bodies) == 3
    assert all(len(body["messages"]) == 2 for body in server.bodies)


def test_an_answer_behind_one_that_was_cut_off_is_not_asked_for_again(server, ask):
    """Else a finished set of records would still need its teacher."""
    server.behave = lambda number, body: Reply(finish="length" if number == 0 else "stop")
    first = ask(attempts=2)
    asked = len(server.bodies)
    server.behave = lambda number, body: Reply(status=500)
    again = ask(attempts=2)
    assert len(server.bodies) == asked == 2
    assert again.samples == first.samples


def test_too_many_requests_for_an_hour_cost_nothing(server, ask):
    """It is told by the server's clock when it is ready; ours is virtual and passes by waiting."""
    busy = {"status": 429, "text": "slow down"}
    server.behave = lambda n, body: Reply(**busy) if n >= 5 and ask.clock.time < 3600 else Reply()
    found = ask(10)
    assert len(found.samples) == 10
    assert 3600 <= ask.clock.time < 3700
    assert all(count == 1 for task, count in _tasks(server).items() if "number 5" not in task)
    assert 60 <= len(server.bodies) - 10 < 150
    said = ask.said.getvalue()
    assert "slow down" in said
    assert 10 <= said.count("waiting") <= 13


def test_the_server_says_how_long_to_wait(server, ask):
    busy = {"status": 429, "headers": {"Retry-After": "700"}}
    server.behave = lambda number, body: Reply(**busy) if number < 2 else Reply()
    assert len(ask(4, concurrency=2).samples) == 4
    assert ask.clock.time >= 700
    assert len(server.bodies) == 6


def test_a_busy_server_is_not_waited_for_forever(server, ask):
    server.behave = lambda n, body: Reply(status=429) if n else Reply()
    with pytest.raises(EndpointProblem, match="no answer for 30 minutes"):
        ask(2, busy_minutes=30.0)
    assert 1800 <= ask.clock.time < 2000
    server.behave = lambda number, body: Reply()
    assert len(ask(2).samples) == 2
    assert _tasks(server)["Task:\nTask number 0: add one to x.\n\nThe function is called f0."] == 1


def test_an_empty_account_is_not_waited_for(server, ask):
    server.behave = lambda n, body: Reply(status=429, text="insufficient_quota")
    with pytest.raises(EndpointProblem, match="insufficient_quota"):
        ask()
    assert len(server.bodies) == 1


BROKEN = {
    "server error": Reply(status=500),
    "gateway": Reply(status=502, raw=b"<html>"),
    "hangs up": Reply(drop=True),
    "half an answer": Reply(cut=40),
    "no JSON": Reply(raw=b"<html>welcome</html>"),
    "other JSON": Reply(raw=b'{"choices": []}'),
    "a list": Reply(raw=b"[1]"),
    "an error inside": Reply(raw=b'{"error": {"message": "upstream"}}'),
    "stopped in the middle": Reply(finish="abort"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_lost_on_the_way_is_sent_again(server, ask, how, tmp_path):
    server.behave = lambda number, body: BROKEN[how] if number < 3 else Reply()
    assert [s.rationale for s in ask().samples] == [READ]
    assert len(server.bodies) == 4
    assert len({json.dumps(body) for body in server.bodies}) == 1
    assert len(_recorded(tmp_path)) == 1


STREAMS = {
    "cut in a line": Reply(cut=150),
    "no end": Reply(finish=None),
    "aborted": Reply(finish="abort"),
    "no chunk": Reply(raw=b"data: {half\n\n"),
    "an error inside": Reply(raw=b'data: {"error": {"message": "upstream"}}\n\n'),
    "nothing": Reply(raw=b""),
}


@pytest.mark.parametrize("how", STREAMS)
def test_half_a_stream_is_no_answer(server, ask, how, tmp_path):
    server.behave = lambda number, body: STREAMS[how] if number < 2 else Reply()
    assert [s.rationale for s in ask(stream=True).samples] == [READ]
    assert len(server.bodies) == 3
    assert len(_recorded(tmp_path)) == 1


def test_what_is_always_lost_costs_one_sample(server, ask):
    server.behave = lambda n, body: Reply(status=500 if "number 1" in str(body) else 200)
    found = ask(3, max_failed_share=0.5)
    assert [s.problem.id for s in found.samples] == ["t0", "t2"]
    assert "lost 6 times" in found.failures[0].reason


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_is_too_long_costs_its_sample(server, ask, status):
    server.behave = lambda n, body: Reply(status=status if "number 1" in str(body) else 200)
    assert len(ask(3, max_failed_share=0.5).samples) == 2
    assert len(server.bodies) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_address_stops_the_run(server, ask, status):
    server.behave = lambda number, body: Reply(status=status, text="who are you")
    with pytest.raises(EndpointProblem, match=rf"status {status}.*who are you"):
        ask(5)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_another_models_answer_is_not_kept(server, ask, tmp_path, stream):
    server.behave = lambda number, body: Reply(model="small" if number == 2 else None)
    with pytest.raises(EndpointProblem, match=r"'small'") as problem:
        ask(4, stream=stream)
    assert "teacher_answers_as=small" in problem.value.hint
    assert len(_recorded(tmp_path)) == 2
    server.behave = lambda number, body: Reply()
    assert len(ask(4, stream=stream).samples) == 4
    assert all(count == 1 for count in list(_tasks(server).values())[:2])


def test_a_model_may_have_a_second_name(server, ask):
    server.behave = lambda number, body: Reply(model="big-2024-08-06")
    assert len(ask(teacher_answers_as="big-2024-08-06").samples) == 1


def test_a_server_that_dies_and_comes_back_is_waited_for(server, ask, monkeypatch):
    """It is away for ten of our minutes; the address stays."""
    from training.teachers.endpoint import Endpoint
    from training.teachers.protocol import Broken

    send = Endpoint.send

    async def away(self, call):
        if server.bodies and 0 < len(server.bodies) < 3 and ask.clock.time < 600:
            raise Broken("connection refused", unreachable=True)
        return await send(self, call)

    monkeypatch.setattr(Endpoint, "send", away)
    assert len(ask(5).samples) == 5
    assert 600 <= ask.clock.time < 700


def test_a_server_that_died_is_said_and_nothing_is_lost(server, ask, tmp_path):
    def dying(number, body):
        if number == 3:
            server._server.socket.close()  # nobody listens any more
            return Reply(drop=True)
        return Reply()

    server.behave = dying
    with pytest.raises(EndpointProblem, match="no answer for 15 minutes") as problem:
        ask(6)
    assert "--resume" in problem.value.hint
    assert len(_recorded(tmp_path)) == 3


def test_nobody_there_is_said_soon(ask):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointProblem, match="no connection in 6 tries"):
        ask(3, teacher=url)
    assert ask.clock.time < 120


def test_no_more_is_spent_than_allowed(server, ask):
    price = {"usd_per_million_prompt": 1000.0, "usd_per_million_completion": 1000.0}
    server.behave = lambda number, body: Reply(usage=(100, 400))
    with pytest.raises(TrainingProblem, match=r"max_usd=5 is reached") as problem:
        ask(30, max_usd=5.0, concurrency=4, **price)
    assert "--resume" in problem.value.hint
    assert ask.meter.usd <= 5.0
    # Each costs 0.5 and could cost about 1.3: it goes on until that is no longer left.
    assert len(server.bodies) >= 7
    asked = len(server.bodies)
    assert len(ask(30, max_usd=50.0, concurrency=4, **price).samples) == 30
    assert len(server.bodies) == 30 >= asked


def test_requests_are_spread_over_the_minutes(server, ask):
    ask(25, requests_per_minute=10)
    assert 120 <= ask.clock.time < 121


def test_a_server_that_counts_nothing_is_metered_all_the_same(server, ask):
    server.behave = lambda number, body: Reply(usage=None)
    ask()
    assert ask.meter.prompt_tokens > 50
    assert ask.meter.completion_tokens > 20


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"teacher": "oracle"}, "'oracle'"),
        ({"teacher_model": ""}, "teacher_model"),
        ({"template": "sideways"}, "'sideways'"),
        ({"select": "best"}, "select=best"),
        ({"samples": 0}, "samples=0"),
        ({"teacher": "http://[::1/v1"}, "not an address"),
    ],
)
def test_wrong_settings_name_the_value(ask, more, said):
    with pytest.raises(
        (UsageProblem, EndpointProblem), match=r"contexts|template|address|oracle"
    ) as p:
        ask(**more)
    assert said in str(p.value)


def test_the_key_is_sent_and_not_shown(server, ask, monkeypatch):
    monkeypatch.setenv("ASSISTANT_TEACHER_KEY", "secret-key")
    server.behave = lambda number, body: Reply(status=401)
    with pytest.raises(EndpointProblem) as problem:
        ask([a_problem(0)])
    assert "secret-key" not in str(problem.value)
