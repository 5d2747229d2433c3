"""Frames in both directions, whatever the other side makes of them."""

from __future__ import annotations

import contextlib
import random
import statistics
import time

import pytest

from assistant.sandbox import Ended, Ending, Limits

ECHO = "while True: send(receive())"
RAW = """
import os, sys
out = int(sys.argv[1])
data = receive()
while data:
    data = data[os.write(out, data[:{most}]):]
"""


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 65531, 65532, 65533, 100_000, 900_000])
def test_frames_of_each_size_come_back(box, size: int):
    payload = random.Random(size).randbytes(size)
    with box(ECHO) as opened:
        for _ in range(3):
            opened.send(payload)
            assert opened.receive() == payload


def test_several_questions_may_wait(box):
    with box(ECHO) as opened:
        for n in range(100):
            opened.send(b"%d" % n)
        assert [opened.receive() for _ in range(100)] == [b"%d" % n for n in range(100)]


def test_a_question_that_nobody_reads(box):
    lines, limits = "import time; time.sleep(60)", Limits(wall_s=0.5)
    with box(lines, limits) as opened, pytest.raises(Ended) as ended:
        opened._await_start()
        opened.send(bytes(1 << 24))
    assert ended.value.ending is Ending.WALL


def test_a_question_to_nobody(box):
    with box("raise SystemExit(3)") as opened:
        with pytest.raises(Ended) as ended:
            opened.receive()
        assert (ended.value.ending, ended.value.status) == (Ending.EXIT, 3)
        with pytest.raises(Ended) as ended:
            opened.send(b"x")
        assert (ended.value.ending, ended.value.status) == (Ending.EXIT, 3)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("import os; os._exit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import ctypes; ctypes.string_at(0)", -11),
        ("import os; os.abort()", -6),
    ],
)
def test_how_it_ended(ending, lines: str, status: int):
    ended = ending(lines)

    assert (ended.ending, ended.status) == (Ending.EXIT, status)


def test_a_closed_channel_is_an_end(ending):
    ended = ending("import os, sys, time; os.close(int(sys.argv[1])); time.sleep(60)")

    assert (ended.ending, ended.status) == (Ending.EXIT, None)


def test_what_it_raised_is_on_standard_error(box):
    with box("1 / 0") as opened, pytest.raises(Ended):
        opened.receive()
    assert b"ZeroDivisionError" in opened.stderr


def test_standard_input(box, inside):
    lines = "import sys; answer = [sys.stdin.readline(), sys.stdin.read()]"
    assert inside(lines, stdin=b"one\ntwo\nthree") == ["ok", ["one\n", "two\nthree"]]
    assert inside(lines) == ["ok", ["", ""]]
    large = random.Random(1).randbytes(3_000_000)
    lines = "import sys, hashlib\nsend(hashlib.sha256(sys.stdin.buffer.read()).digest())\nreceive()"
    with box(lines, stdin=large) as opened:
        assert opened.receive() == __import__("hashlib").sha256(large).digest()


def test_standard_input_is_not_written_to(inside):
    lines = """
    import os
    answer = []
    for act in (lambda: os.write(0, b"x"), lambda: os.ftruncate(0, 1 << 20),
                lambda: open("/proc/self/fd/0", "r+b", 0).write(b"x")):
        try:
            act()
            answer.append("done")
        except OSError:
            answer.append("refused")
    """
    assert inside(lines, stdin=b"given") == ["ok", ["refused"] * 3]


@pytest.mark.parametrize("seed", range(12))
def test_any_bytes_are_a_frame_or_an_end(box, seed: int):
    """Written past `send`, in pieces of any size."""
    chance = random.Random(seed)
    kinds = (
        lambda: chance.randbytes(chance.randrange(2000)),
        lambda: (n := chance.randrange(100)).to_bytes(4, "big") + bytes(n),
        lambda: chance.randrange(1 << 32).to_bytes(4, "big"),
        lambda: b"\0" * chance.randrange(9),
    )
    data = b"".join(chance.choice(kinds)() for _ in range(chance.randrange(1, 6)))
    with box(RAW.format(most=chance.choice([1, 3, 1000]))) as opened:
        opened.send(data)
        frames = []
        with pytest.raises(Ended) as ended:
            while True:
                frames.append(opened.receive())
        assert ended.value.ending in (Ending.EXIT, Ending.MESSAGE)
    # What was taken for frames is what a reader of the format finds.
    assert frames == list(parsed(data, 1 << 20))


def parsed(data: bytes, most: int):
    while len(data) >= 4:
        length = int.from_bytes(data[:4], "big")
        if length > most or len(data) < 4 + length:
            return
        yield data[4 : 4 + length]
        data = data[4 + length :]


def test_a_flood_is_not_kept(box):
    lines = "import os, sys\nwhile True: os.write(int(sys.argv[1]), bytes(65536))"
    with box(lines, Limits(cpu_s=1.0, wall_s=1.5)) as opened, pytest.raises(Ended):
        for _ in range(1000):
            with contextlib.suppress(ValueError):
                assert opened.receive() == b""
        assert len(opened._channel._inbox) < 1 << 18
        opened.send(bytes(1 << 22))


def test_a_question_is_answered_quickly(box):
    """Tens of microseconds; the bound leaves room for a machine that has other things to do."""
    times = []
    with box(ECHO) as opened:
        opened.send(b"")
        opened.receive()
        for _ in range(2000):
            start = time.perf_counter()
            opened.send(b"question")
            opened.receive(cpu_s=1.0)
            times.append(time.perf_counter() - start)
    assert statistics.quantiles(times, n=10)[0] < 100e-6
