"""Each bound on what a sandboxed program uses, and that what stays below it goes through."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time

import pytest

from assistant.sandbox import Ended, Ending, Layer, Limits

SMALL = Limits(cpu_s=0.5, wall_s=0.5)


def test_processor_time_of_the_whole(ending):
    start = time.process_time()
    ended = ending("while True: pass", Limits(cpu_s=0.2, wall_s=20))

    assert ended.ending is Ending.CPU
    assert "0.2 s" in ended.detail
    assert time.process_time() - start < 0.3  # waiting costs nothing here


def test_signals_do_not_lengthen_it(ending):
    lines = """
    import signal
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            pass
    while True: pass
    """
    assert ending(lines, Limits(cpu_s=0.2, wall_s=20)).ending is Ending.CPU


def test_threads_share_it(ending):
    lines = """
    import threading, zlib
    data = bytes(1 << 20)
    def work():
        while True: zlib.crc32(data)  # without the lock of the interpreter
    for _ in range(3): threading.Thread(target=work).start()
    """
    assert ending(lines, Limits(cpu_s=0.2, wall_s=20)).ending is Ending.CPU


def test_the_kernel_ends_what_nobody_looks_at(box):
    """The parent may be busy elsewhere, or hang."""
    with box("while True: pass", Limits(cpu_s=0.1, wall_s=60)) as opened:
        opened.send(b"")
        opened._await_start()
        assert opened._process.status(30.0) in (-24, -9)
        with pytest.raises(Ended) as ended:
            opened.receive()
    assert ended.value.ending is Ending.CPU


def test_processor_time_of_one_answer(box):
    lines = """
    while True:
        receive()
        n = 0
        while n < 3_000_000: n += 1
        send(b"done")
    """
    with box(lines, Limits(cpu_s=30, wall_s=60)) as opened:
        opened.send(b"")
        assert opened.receive(cpu_s=10) == b"done"
        # What was used before does not count.
        opened.send(b"")
        with pytest.raises(Ended) as ended:
            opened.receive(cpu_s=0.02)
    assert ended.value.ending is Ending.CPU


def test_sleeping_costs_no_processor_time(box):
    lines = "import time\nreceive()\ntime.sleep(0.3)\nsend(b'awake')"
    with box(lines) as opened:
        opened.send(b"")
        assert opened.receive(cpu_s=0.1) == b"awake"


@pytest.mark.parametrize("lines", ["import time; time.sleep(60)", "import signal; signal.pause()"])
def test_the_clock_on_the_wall(ending, lines: str):
    start = time.monotonic()

    assert ending(lines, SMALL).ending is Ending.WALL
    assert time.monotonic() - start < 5


def test_the_clock_of_one_answer(box):
    with box("receive()") as opened:
        start = time.monotonic()
        with pytest.raises(Ended) as ended:
            opened.receive(wall_s=0.2)
    assert ended.value.ending is Ending.WALL
    assert 0.2 <= time.monotonic() - start < 5


def test_stopping_itself_does_not_help(ending):
    lines = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"

    assert ending(lines, SMALL).ending is Ending.WALL


def test_a_slow_drip_ends_with_the_whole(box):
    lines = "import time\nwhile True:\n    time.sleep(0.05)\n    send(b'.')"
    start = time.monotonic()
    with box(lines, SMALL) as opened, pytest.raises(Ended) as ended:
        while True:
            opened.receive(wall_s=0.3)
    assert ended.value.ending is Ending.WALL
    assert time.monotonic() - start < 5


def test_the_user_stops_it(box):
    stop = threading.Event()
    with box("import time; time.sleep(60)", stop=stop) as opened:
        threading.Timer(0.1, stop.set).start()
        start = time.monotonic()
        with pytest.raises(Ended) as ended:
            opened.receive()
    assert ended.value.ending is Ending.STOPPED
    assert time.monotonic() - start < 2


def test_memory(inside):
    limits = Limits(memory_mb=64)

    assert inside("answer = len(bytearray(40 << 20))", limits) == ["ok", 40 << 20]
    private = "__import__('mmap').mmap(-1, 1 << 27, flags=0x22)"
    for grow in ("bytearray(100 << 20)", "[0] * (1 << 26)", private):
        kind, _ = inside(f"answer = len({grow})", limits)
        assert kind in ("MemoryError", "OSError"), grow


def test_memory_outside_the_address_space(inside):
    """Shared mappings too: what is cut off from one stays and is counted no more."""
    lines = """
    import os, mmap
    answer = []
    for act in (lambda: os.memfd_create("x"), lambda: open("/dev/shm/x", "w"),
                lambda: mmap.mmap(-1, 4096),
                lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 4096),
                lambda: __import__("multiprocessing.shared_memory").shared_memory.SharedMemory(
                    create=True, size=1 << 20)):
        try:
            act()
            answer.append("done")
        except OSError:
            answer.append("refused")
    """
    assert inside(lines) == ["ok", ["refused"] * 5]


def test_output(ending):
    assert ending("while True: print('x' * 100)").ending is Ending.OUTPUT
    both = "import sys\nwhile True:\n    print('x')\n    print('y', file=sys.stderr)"
    assert ending(both).ending is Ending.OUTPUT


def test_output_that_is_still_in_the_pipe_at_the_end(ending):
    lines = "import os\nos.write(1, b'x' * 40000)\nos.write(2, b'x' * 40000)\nos._exit(0)"

    assert ending(lines).ending is Ending.OUTPUT
    assert ending(lines, Limits(output_kb=100)).ending is Ending.EXIT


def test_output_within_the_limit_is_whole(box):
    lines = "import os\nos.write(1, b'o' * 30000)\nos.write(2, b'e' * 30000)\nsend(b'')\nreceive()"
    with box(lines) as opened:
        opened.receive()
        assert (len(opened.stdout), len(opened.stderr)) == (30000, 30000)
    assert len(opened.stdout) == 30000  # and afterwards


def test_a_long_message(ending, box):
    assert ending("send(b'x' * (1 << 21))").ending is Ending.MESSAGE
    with box("send(b'x' * 1000)") as opened, pytest.raises(Ended) as ended:
        opened.receive(max_bytes=999)
    assert ended.value.ending is Ending.MESSAGE
    with box("send(b'x' * 5_000_000)") as opened:
        assert opened.receive(max_bytes=5_000_000) == b"x" * 5_000_000


def test_files_and_the_folder(inside, layer: Layer):
    if layer is Layer.LANDLOCK:
        pytest.skip("no file can be written")
    limits = Limits(file_mb=1, folder_mb=3)
    one = "import signal; open('a', 'wb').write(bytes({} << 10))"

    assert inside(one.format(1000), limits)[0] == "ok"
    assert inside(one.format(1100), limits) == ["OSError", "[Errno 27] File too large"]
    many = "for n in range(5): open(f'{n}', 'wb').write(bytes(1 << 20))"
    assert inside(many, limits) == ["OSError", "[Errno 28] No space left on device"]


def test_empty_files_without_end(ending, layer: Layer):
    if layer is Layer.LANDLOCK:
        pytest.skip("no file can be made")
    lines = "n = 0\nwhile True:\n    open(str(n), 'w').close()\n    n += 1"

    ended = ending(lines)

    assert ended.ending is Ending.OUTPUT and "files" in ended.detail


def test_threads(inside, ending):
    few = """
    import threading
    go = threading.Event()
    threads = [threading.Thread(target=go.wait) for _ in range(20)]
    for thread in threads: thread.start()
    go.set()
    for thread in threads: thread.join()
    answer = len(threads)
    """
    assert inside(few) == ["ok", 20]
    # The kernel refuses the next one, or, where it does not count (root, landlock), we do.
    many = """
    import threading, time
    threading.stack_size(32768)
    while True:
        try: threading.Thread(target=time.sleep, args=(60,)).start()
        except RuntimeError: raise SystemExit(3)
    """
    ended = ending(many, Limits(cpu_s=5, wall_s=20))
    assert ended.ending in (Ending.EXIT, Ending.WALL)
    if ended.ending is Ending.EXIT and ended.status is None:
        assert "threads" in ended.detail


def test_descriptors(inside):
    lines = """
    import os
    answer = 0
    while True:
        try: os.dup(0)
        except OSError: break
        answer += 1
    """
    kind, opened = inside(lines)

    assert kind == "ok" and 50 < opened < 64


def test_the_start_is_no_part_of_the_time(box, monkeypatch: pytest.MonkeyPatch):
    """On a machine with much to do the start takes long, which is not the program's fault."""
    with box("send(b'here')\nreceive()", Limits(wall_s=0.3)) as opened:
        time.sleep(0.5)  # the one thing that a condition can not express: time that passes
        assert opened.receive() == b"here"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nothing to crowd a core with")
class TestOnACrowdedCore:
    """Five others want the same core: the program gets a sixth of it."""

    @pytest.fixture
    def crowded(self, box):
        core = {min(os.sched_getaffinity(0))}

        @contextlib.contextmanager
        def open_crowded(lines: str, limits: Limits):
            burners = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(5)
            ]
            try:
                for one in burners:
                    os.sched_setaffinity(one.pid, core)
                with box(f"send(b'here')\nreceive()\n{lines}", limits) as opened:
                    opened.receive()
                    os.sched_setaffinity(opened._process.pid, core)
                    opened.send(b"go")
                    yield opened
            finally:
                for one in burners:
                    one.kill()
                    one.wait()

        return open_crowded

    def test_time_that_others_took_is_not_the_programs(self, crowded):
        lines = "import time\nwhile time.process_time() < 0.4: pass\nsend(b'done')\nreceive()"

        with crowded(lines, Limits(cpu_s=5, wall_s=0.7)) as opened:
            assert opened.receive() == b"done"

    def test_sleep_is(self, crowded):
        with crowded("import time\ntime.sleep(60)", Limits(wall_s=0.5)) as opened:
            began = time.monotonic()
            with pytest.raises(Ended) as ended:
                opened.receive()

        assert ended.value.ending is Ending.WALL
        assert time.monotonic() - began < 6 * 0.5 + 1
