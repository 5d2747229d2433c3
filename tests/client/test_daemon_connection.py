"""Clients start the daemon, find it, and survive its death."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from assistant import locations
from assistant.client import (
    ChatRequest,
    Connection,
    Daemon,
    Delta,
    FillRequest,
    Finished,
    Forced,
    Progress,
    connect,
    connection,
    readiness,
    running,
    stop,
)
from assistant.client.stop import stop as end_daemon
from assistant.daemon import crashes
from assistant.errors import DaemonProblem, ModelProblem, RequestProblem, StateProblem
from tests.support.tiny_gguf import Tiny, chain_of, write

HI = ChatRequest([{"role": "user", "content": "hi"}])


async def ask(target: Daemon, request: ChatRequest = HI) -> str:
    """The answer to a request over a connection of its own."""
    async with await connect(target) as made:
        return await text_of(made, request)


async def text_of(made: Connection, request: ChatRequest = HI) -> str:
    chunks = [chunk async for chunk in made.stream_chat(request)]
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta))


async def pid_of(made: Connection) -> int:
    return int((await made.status())["pid"])


async def killed(pid: int) -> None:
    """Kill a daemon and wait until its lock is free."""
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while not stop._is_gone():
            await asyncio.sleep(0.01)


async def test_the_first_client_starts_it(abcd: Daemon) -> None:
    async with await connect(abcd) as made:
        info = await made.model_info()
        chunks = [chunk async for chunk in made.stream_chat(HI)]

    assert (info.format_name, info.format_version) == ("reasoning-then-code", 1)
    assert (info.fim, info.context_length) == (True, 512)
    assert isinstance(chunks[0], Progress)
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta)) == "ABCD"
    last = chunks[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.completion_tokens) == ("stop", 4)
    assert last.prompt_tokens > last.completion_tokens
    assert last.tokens_per_second > 0


async def test_options_of_a_request_reach_the_engine(shared: Daemon) -> None:
    forced = replace(HI, forced=[Forced("aa", "!")], max_tokens=3, return_progress=False)

    assert await ask(shared, forced) == "aa!"
    assert await ask(shared, replace(HI, stop=["aaaa"])) == ""


async def test_fill_in_the_middle(shared: Daemon) -> None:
    async with await connect(shared) as made:
        chunks = [chunk async for chunk in made.stream_fill(FillRequest("a", "b", max_tokens=2))]

    last = chunks[-1]
    assert isinstance(last, Finished)
    assert last.prompt_tokens == 5


async def test_line_separators_of_other_alphabets_stay_in_the_text(
    tmp_path: Path, ended: None
) -> None:
    """Some clients end a line of an event stream at them."""
    odd = "a\u2028b\x85c\x1dd"
    spec = Tiny(chain=chain_of(odd, "!"), words=[odd])

    assert await ask(Daemon(str(write(tmp_path / "m.gguf", spec)), threads=1)) == odd + "!"


async def test_many_clients_at_once_start_one(abcd: Daemon) -> None:
    """Whoever comes first holds the lock, and hands it to the daemon."""
    program = (
        "import asyncio\n"
        "from assistant.client import Daemon, connect\n"
        "async def main():\n"
        f"    async with await connect({abcd!r}) as made:\n"
        "        print((await made.status())['pid'])\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program]
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(8)]

    pids = {client.communicate(timeout=60)[0] for client in clients}

    assert [client.returncode for client in clients] == [0] * 8
    assert len(pids) == 1
    assert locations.log_path("daemon").read_text().count(" starts for ") == 1


async def test_death_in_mid_answer_is_one_clear_error(endless: Daemon) -> None:
    """And the next call starts another."""
    async with await connect(endless) as made:
        pid = await pid_of(made)
        with pytest.raises(DaemonProblem, match="died in mid-answer"):
            async for chunk in made.stream_chat(HI):
                if isinstance(chunk, Delta):
                    os.kill(pid, signal.SIGKILL)

    async with await connect(endless) as made:
        assert await pid_of(made) != pid
        assert await text_of(made, replace(HI, max_tokens=3)) == "aaa"


async def test_a_connection_outlives_the_daemon(abcd: Daemon) -> None:
    """One that ended between two requests, for being idle or by force, is started again."""
    async with await connect(abcd) as made:
        await killed(await pid_of(made))
        assert await text_of(made) == "ABCD"
        await made.shutdown()
        assert await text_of(made) == "ABCD"


async def test_it_is_not_restarted_for_ever(endless: Daemon) -> None:
    """Three deaths in a row with no finished answer between them are enough."""
    for _ in range(crashes.LIMIT):
        async with await connect(endless) as made:
            await killed(await pid_of(made))

    for _ in range(2):
        with pytest.raises(DaemonProblem, match="died 3 times in a row") as caught:
            await connect(endless)
    assert "assistant serve" in str(caught.value)
    crashes.forget()
    assert await ask(endless, replace(HI, max_tokens=1)) == "a"


async def test_deaths_between_answers_do_not_count(abcd: Daemon) -> None:
    """A daemon killed ever so often comes back, as long as it answers."""
    for _ in range(crashes.LIMIT + 1):
        async with await connect(abcd) as made:
            assert await text_of(made) == "ABCD"
            await killed(await pid_of(made))

    assert await ask(abcd) == "ABCD"


async def test_closing_the_iterator_cancels(shared: Daemon) -> None:
    async with await connect(shared) as made:
        served = (await made.status())["requests_served"]
        async with aclosing(made.stream_chat(HI)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Delta):
                    break
        async with asyncio.timeout(10):
            while (await made.status())["queue"]["running"]:
                await asyncio.sleep(0.01)
        assert (await made.status())["requests_served"] == served


async def test_a_request_is_cancelled_by_its_id(shared: Daemon) -> None:
    """Harmless when it has ended already."""
    async with await connect(shared) as made:
        async for chunk in made.stream_chat(HI, request_id="mine"):
            if isinstance(chunk, Delta):
                await made.cancel("mine")

    assert isinstance(chunk, Finished)
    assert chunk.reason == "cancelled"


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.soak)])
async def test_any_mixture_of_clients_is_served(shared: Daemon, count: int) -> None:
    """Some hang up, some cancel, some wait to the end: each gets what is its own."""
    chance = random.Random(count)

    async def one(made: Connection, number: int) -> None:
        length, fate = chance.randint(1, 60), chance.choice(["end", "end", "leave", "cancel"])
        request = replace(HI, max_tokens=length if fate == "end" else None)
        written, last = "", None
        async with aclosing(made.stream_chat(request, request_id=f"{number}")) as chunks:
            async for chunk in chunks:
                last = chunk
                if not isinstance(chunk, Delta):
                    continue
                written += chunk.text
                if fate == "leave":
                    return
                if fate == "cancel":
                    await made.cancel(f"{number}")
        assert isinstance(last, Finished)
        assert last.reason == {"end": "length", "cancel": "cancelled"}[fate]
        assert set(written) == {"a"}
        assert fate != "end" or len(written) == length

    async with await connect(shared) as made:
        before = (await made.status())["queue"]
        for first in range(0, count, 10):
            await asyncio.gather(*(one(made, number) for number in range(first, first + 10)))
        async with asyncio.timeout(10):
            while (await made.status())["queue"] != before:
                await asyncio.sleep(0.01)
        assert await text_of(made, replace(HI, max_tokens=3)) == "aaa"


async def test_what_the_daemon_refuses_is_raised_as_it_was(shared: Daemon) -> None:
    async with await connect(shared) as made:
        with pytest.raises(RequestProblem, match=r"has 66019 tokens.*holds 65536"):
            await text_of(made, ChatRequest([{"role": "user", "content": "x" * 66000}]))
        assert await text_of(made, replace(HI, max_tokens=1)) == "a"


async def test_the_model_that_is_named_answers(models: Path, abcd: Daemon) -> None:
    """A daemon with another one is ended and started anew; so is one whose file has changed."""
    other = replace(abcd, model=str(models / "xy.gguf"))

    async with await connect(abcd) as first, await connect(other) as second:
        assert await text_of(second) == "XY"
        assert await text_of(first) == "ABCD"


async def test_clients_with_different_models_at_once_are_all_served(
    models: Path, abcd: Daemon
) -> None:
    """One after the other; nobody is answered by the other's model."""
    other = replace(abcd, model=str(models / "xy.gguf"))

    answers = await asyncio.gather(*(ask(target) for target in (abcd, other, abcd, other)))

    assert answers == ["ABCD", "XY", "ABCD", "XY"]


async def test_a_model_that_was_made_anew_is_loaded_anew(tmp_path: Path, ended: None) -> None:
    target = Daemon(str(write(tmp_path / "m.gguf", Tiny(chain=chain_of("A")))), threads=1)
    assert await ask(target) == "A"
    write(tmp_path / "new.gguf", Tiny(chain=chain_of("B"))).replace(tmp_path / "m.gguf")

    assert await ask(target) == "B"


async def test_a_model_that_can_not_be_loaded_is_told_each_time(
    tmp_path: Path, ended: None
) -> None:
    """And works at once when the cause is gone."""
    path = write(tmp_path / "m.gguf", Tiny(chain=chain_of("A")))
    good = path.read_bytes()
    path.write_bytes(good.replace(b"llama", b"lxxxx"))
    target = Daemon(str(path), threads=1)

    for _ in range(2):
        with pytest.raises(ModelProblem, match="unknown model architecture"):
            await connect(target)
    together = await asyncio.gather(*(connect(target) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in together] == [ModelProblem] * 3
    path.write_bytes(good)
    assert await ask(target) == "A"
    assert not crashes.path().exists()


async def test_a_broken_file_is_told_without_a_daemon(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_text("words")

    with pytest.raises(ModelProblem, match="a text file"):
        await connect(Daemon(str(path)))
    assert not locations.log_path("daemon").exists()


async def test_a_daemon_that_ends_before_it_answers_is_told(
    abcd: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the end of its log."""
    monkeypatch.setenv("PYTHONSTARTUP", "")
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(DaemonProblem, match="ended with status 1 before it answered"):
        await connect(abcd)


async def test_without_leave_nothing_is_started(abcd: Daemon) -> None:
    with pytest.raises(DaemonProblem, match="does not run"):
        await connect(abcd, start=False)
    assert await running() is None


async def test_a_state_folder_that_can_not_be_made_is_named(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "file" / "home"))

    with pytest.raises(StateProblem, match=str(tmp_path / "file")):
        await connect(Daemon(str(models / "abcd.gguf")))


async def test_stop_ends_it_and_says_whom(abcd: Daemon) -> None:
    async with await connect(abcd) as made:
        pid = await pid_of(made)

    assert await end_daemon() == pid
    assert await end_daemon() is None
    assert await running() is None


async def test_stop_ends_one_that_hangs(abcd: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told that it hangs; ending it on purpose is not counted as a crash."""
    monkeypatch.setattr(stop, "POLITE_SECONDS", 0.5)
    monkeypatch.setattr(stop, "_FORCE_SECONDS", 2.0)
    async with await connect(abcd) as made:
        pid = await pid_of(made)
    os.kill(pid, signal.SIGSTOP)

    # Only here: on a busy machine the start takes its time.
    with monkeypatch.context() as hurried, pytest.raises(DaemonProblem, match="hangs"):
        hurried.setattr(connection, "_HEALTH_SECONDS", 0.5)
        await connect(abcd)
    assert await end_daemon() == pid
    assert await ask(abcd) == "ABCD"
    assert not crashes.path().exists()


async def test_the_daemon_knows_who_started_it(shared: Daemon) -> None:
    async with await connect(shared) as made:
        assert f"pid {os.getpid()}" in (await made.status())["started_by"]
    assert json.loads(locations.daemon_info_path().read_text())["protocol"] == 1


async def test_an_older_daemon_gives_way_once(
    abcd: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is idle; and a client does not end what it has started itself."""
    async with await connect(abcd) as made:
        old = await pid_of(made)
    monkeypatch.setattr(readiness, "__version__", "99.0.0")
    async with await connect(abcd) as made:
        assert await pid_of(made) != old
        assert await text_of(made) == "ABCD"


async def test_tokens_are_counted_by_the_model(abcd: Daemon) -> None:
    """A byte each here; what reads like a token of the template is text."""
    async with await connect(abcd) as made:
        assert await made.count_tokens(["", "ab", "<|im_end|>"]) == [0, 2, 10]
        assert await made.count_tokens([]) == []
        # Nobody needs an exact number badly enough to fail for it, or to start a daemon.
        assert await made.count_tokens(["\ud800"]) is None
        await end_daemon()
        assert await made.count_tokens(["ab"]) is None
