"""Ending the daemon while others start it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from assistant import locations
from assistant.client import Daemon, connect, running, stop
from assistant.client.stop import stop as end_daemon
from assistant.daemon.lifecycle import take_lock
from assistant.errors import AssistantError


@contextmanager
def held_lock() -> Iterator[int]:
    """As whoever starts the next daemon has it."""
    lock = take_lock()
    assert lock is not None
    try:
        yield lock
    finally:
        os.close(lock)


def tell(pid: int) -> None:
    locations.daemon_info_path().write_text(json.dumps({"pid": pid}))


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "POLITE_SECONDS", 0.3)
    monkeypatch.setattr(stop, "_FORCE_SECONDS", 0.3)


async def test_one_that_ended_is_gone_though_another_is_starting(hurried: None) -> None:
    pid = ended_process()
    with held_lock():
        tell(pid)
        assert await end_daemon() == pid


async def test_the_number_of_the_next_one_is_not_sent_a_signal(hurried: None) -> None:
    """It was asked to end, did, and another took its place."""
    with subprocess.Popen(["sleep", "60"]) as first, subprocess.Popen(["sleep", "60"]) as second:
        try:
            with held_lock():
                tell(first.pid)
                ending = asyncio.create_task(end_daemon())
                await asyncio.sleep(0)  # it has read the number
                tell(second.pid)
                assert await ending == first.pid
            assert second.poll() is None
            assert json.loads(locations.daemon_info_path().read_text()) == {"pid": second.pid}
        finally:
            first.kill()
            second.kill()


@pytest.mark.parametrize("pid", [0, -1, 1 << 40, 1e999, "5", None])
def test_a_number_that_is_no_process_is_not_taken_for_one(pid: object) -> None:
    """Only read here: a signal to 0 or -1 would reach many."""
    with held_lock():
        locations.daemon_info_path().write_text(json.dumps({"pid": pid}))
        assert stop._pid() is None


async def test_one_that_is_starting_is_asked_as_soon_as_it_listens(abcd: Daemon) -> None:
    with held_lock() as lock:
        ending = asyncio.create_task(end_daemon())
        await asyncio.sleep(0)
        command = [sys.executable, "-m", "assistant.daemon", "--lock-fd", str(lock)]
        command += ["--model-path", abcd.model, "--model-name", "abcd"]
        process = subprocess.Popen(command, pass_fds=(lock,), stderr=subprocess.DEVNULL)
    try:
        assert await ending == process.pid
        assert process.wait(10) == 0
    finally:
        process.kill()


async def test_clients_that_start_it_again_at_once_do_not_disturb(abcd: Daemon) -> None:
    async def ask_for_ever() -> None:
        while True:
            with suppress(AssistantError):
                await (await connect(abcd)).aclose()

    async with await connect(abcd) as made:
        first = int((await made.status())["pid"])
    others = [asyncio.create_task(ask_for_ever()) for _ in range(3)]
    try:
        assert await end_daemon() == first
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    await end_daemon()
    assert await running() is None
