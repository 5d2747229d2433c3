"""Batch files out and in, until nothing is left to ask."""

from __future__ import annotations

import json

import pytest

from assistant.errors import EndpointProblem, TrainingProblem
from tests.support.teacher_server import GOOD, a_problem


def _requests(tmp_path, number=1):
    return [json.loads(line) for line in (tmp_path / f"batch/requests-{number}.jsonl").open()]


def _answer(request, text=GOOD, finish="stop", model="big", status=200):
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 90, "completion_tokens": 60}
    body = {"model": model, "choices": [choice], "usage": usage}
    response = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps(
        {"id": "x", "custom_id": request["custom_id"], "response": response, "error": None}
    )


def _results(tmp_path, lines, number=1):
    (tmp_path / f"batch/results-{number}.jsonl").write_text("\n".join(lines) + "\n")


def _ask(ask, *arguments, **more):
    return ask(*arguments, teacher="batch", **more)


def test_calls_go_out_and_answers_come_in(ask, tmp_path):
    with pytest.raises(TrainingProblem, match="6 calls for big") as problem:
        _ask(ask, 3, samples=2)
    assert "vllm run-batch -i" in problem.value.hint
    requests = _requests(tmp_path)
    assert len({r["custom_id"] for r in requests}) == 6
    assert all(r["method"] == "POST" and r["url"] == "/v1/chat/completions" for r in requests)
    assert all(len(r["custom_id"]) <= 64 and r["body"]["model"] == "big" for r in requests)
    _results(tmp_path, [_answer(r) for r in reversed(requests)])
    found = _ask(ask, 3, samples=2)
    assert [(s.problem.id, s.sample) for s in found.samples] == [
        (f"t{problem}", sample) for problem in range(3) for sample in range(2)
    ]
    assert (ask.meter.calls, ask.meter.completion_tokens) == (6, 360)
    assert not (tmp_path / "batch/requests-2.jsonl").exists()


def test_live_answers_and_files_share_their_records(ask, server, tmp_path):
    ask(2)
    with pytest.raises(TrainingProblem, match="1 calls"):
        _ask(ask, 3)
    _results(tmp_path, [_answer(r) for r in _requests(tmp_path)])
    _ask(ask, 3)
    ask(3)
    assert len(server.bodies) == 2


def test_what_is_broken_goes_out_again_with_the_reason(ask, tmp_path):
    with pytest.raises(TrainingProblem):
        _ask(ask, 3)
    first = _requests(tmp_path)
    _results(tmp_path, [
        _answer(first[0]), _answer(first[1], "no"), _answer(first[2], finish="length"),
    ])  # fmt: skip
    with pytest.raises(TrainingProblem, match="2 calls"):
        _ask(ask, 3)
    second = _requests(tmp_path, 2)
    assert "Not accepted" in second[0]["body"]["messages"][-1]["content"]
    assert len(second[1]["body"]["messages"]) == 2
    assert second[1]["body"]["seed"] == first[2]["body"]["seed"] + 1
    _results(tmp_path, [_answer(r) for r in second], 2)
    assert len(_ask(ask, 3).samples) == 3


def test_agents_take_a_round_each(ask, tmp_path):
    for number, text in enumerate(("a plan", "No mistakes.", GOOD), start=1):
        with pytest.raises(TrainingProblem, match=f"requests-{number}"):
            _ask(ask, 2, template="agents")
        _results(tmp_path, [_answer(r, text) for r in _requests(tmp_path, number)], number)
    last = _requests(tmp_path, 3)[0]["body"]["messages"][1]["content"]
    assert "a plan" in last and "No mistakes." in last
    assert len(_ask(ask, 2, template="agents").samples) == 2


def test_bad_lines_are_counted_and_their_calls_go_out_again(ask, tmp_path):
    with pytest.raises(TrainingProblem):
        _ask(ask, 4)
    requests = _requests(tmp_path)
    error = json.dumps({"custom_id": requests[1]["custom_id"], "response": None,
                        "error": {"message": "expired"}})  # fmt: skip
    stranger = _answer({"custom_id": "who"})
    lines = [_answer(requests[0]), error, _answer(requests[2], status=400), "{half", "[]", stranger]
    _results(tmp_path, lines)
    with pytest.raises(TrainingProblem, match="3 calls"):
        _ask(ask, 4)
    said = ask.said.getvalue()
    assert "expired" in said
    assert "2 without an answer: not a line of results" in said
    assert [r["custom_id"] for r in _requests(tmp_path, 2)] == [
        r["custom_id"] for r in requests[1:]
    ]


def test_another_models_results_are_not_kept(ask, tmp_path):
    with pytest.raises(TrainingProblem):
        _ask(ask, 2)
    requests = _requests(tmp_path)
    _results(tmp_path, [_answer(requests[0]), _answer(requests[1], model="small")])
    with pytest.raises(EndpointProblem, match="'small'"):
        _ask(ask, 2)
    _results(tmp_path, [_answer(r) for r in requests])
    assert len(_ask(ask, 2).samples) == 2


def test_the_same_files_until_results_come(ask, tmp_path):
    for _ in range(2):
        with pytest.raises(TrainingProblem, match="requests-1"):
            _ask(ask, [a_problem(5)])
    assert len(_requests(tmp_path)) == 1
