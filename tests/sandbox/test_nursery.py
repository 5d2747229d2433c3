"""A process that was forked in a nursery is like one that was started, and leaves nothing behind.

All tests of isolation and of limits run here once more, one after another in the same nursery.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.benchmarks import worker
from assistant.checks.calls import Call, judge_calls
from assistant.events import Outcome
from assistant.sandbox import Ended, Ending, Layer, Limits, SandboxUnavailable, setup
from assistant.sandbox import nursery as nursery_module
from assistant.sandbox.layers import problem
from assistant.sandbox.nursery import Born, Nursery
from tests.sandbox import test_isolation, test_limits
from tests.sandbox.test_isolation import listeners as listeners
from tests.sandbox.test_lifetime import below, descriptors, gone, wait_until

ROOT = Path(__file__).resolve().parents[2]
ECHO = "while True: send(receive())"

for _module in (test_isolation, test_limits):
    for _name, _test in vars(_module).items():
        if _name.startswith("test_") and callable(_test):
            globals()[_name] = _test


@pytest.fixture
def layer() -> Layer:
    """The only layer that has one."""
    if (why := problem(Layer.BUBBLEWRAP)) is not None:
        pytest.skip(f"bubblewrap: {why}")
    return Layer.BUBBLEWRAP


@pytest.fixture(scope="module")
def shared() -> Iterator[Nursery]:
    """One for all tests of the module."""
    with Nursery() as opened:
        yield opened


@pytest.fixture
def nursery(shared: Nursery, layer: Layer) -> Iterator[Nursery]:
    """The same, and nobody's program runs in it when the test is over."""
    yield shared
    assert all(len(below(pid)) == 1 for pid in shared.pids[1:])


OPENED = """
import os
answer = []
paths = ["/proc/1/" + name for name in ("mem", "environ", "maps", "auxv", "stack", "pagemap")]
paths += [f"/proc/1/{kind}/{n}" for kind in ("fd", "fdinfo", "map_files") for n in range(64)]
for path in (*paths, "/proc/1/root/tmp", "/proc/1/cwd/.", "/proc/1/exe"):
    for how in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        try: opened = os.open(path, how | os.O_NONBLOCK)
        except OSError: continue
        try: os.read(opened, 1)
        except PermissionError: continue
        except OSError: pass
        answer.append((path, how))
    try: answer.append(os.readlink(path))
    except OSError: pass
"""


def test_it_is_forked_and_not_started(box: Callable[..., Any], nursery: Nursery):
    found = set()
    for _ in range(5):
        lines = "import os; own = os.getpid() == os.getsid(0) == os.getpgid(0) and os.getppid()"
        with box(lines + "; send(str(own).encode())") as opened:
            assert opened.receive() == b"1"
            assert isinstance(opened._process, Born)
            found.add(nursery.pids)
            assert opened._process.pid in below(nursery.pids[1])
    assert len(found) == 1


def test_the_interpreter_is_not_reached(inside: Callable[..., Any], nursery: Nursery):
    assert inside(OPENED) == ["ok", []]
    lines = """
    import os, signal, sys
    answer = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, 0):
        for pid in (1, -1, 0, -os.getpid()):
            try: os.kill(pid, number); answer.append((pid, number))
            except OSError: pass
    for fd in range(64):
        try:
            os.set_blocking(fd, False)
            kind = os.readlink(f"/proc/self/fd/{fd}").partition(":")[0]
            if kind == "socket": answer.append(fd)
        except OSError: pass
    """
    before = nursery.pids
    assert inside(lines) == ["ok", []]
    assert nursery.pids == before


def test_a_child_is_like_a_process_that_was_started(
    inside: Callable[..., Any], nursery: Nursery, layer: Layer, tmp_path: Path
):
    lines = """
    import os, resource, signal, sys, gc, threading
    status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status")
                  if ":\\t" in line)
    answer = {
        "limits": [resource.getrlimit(kind) for kind in range(16) if kind != resource.RLIMIT_AS],
        "environment": dict(os.environ), "cwd": os.getcwd(), "tmp": os.listdir("/tmp"),
        "signals": {str(n): str(signal.getsignal(n)) for n in signal.valid_signals()},
        "masked": status["SigBlk"] + status["SigIgn"], "caps": status["CapBnd"] + status["CapEff"],
        "seccomp": status["Seccomp"], "privileges": status["NoNewPrivs"], "umask": status["Umask"],
        "arguments": len(sys.argv), "flags": str(sys.flags), "path": sys.path,
        "open": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
        "main": sorted(vars(sys.modules["__main__"])), "gc": (gc.isenabled(), gc.get_threshold()),
        "owner": os.stat("/proc/self/mem").st_uid, "hash": hash("a"), "nice": os.getpriority(0, 0),
        "ids": os.getresuid() + os.getresgid() + tuple(os.getgroups()),
    }
    """
    forked = inside(lines)
    indented = "\n".join("    " + line.strip("\n")[4:] for line in lines.splitlines())
    from tests.sandbox.conftest import _WRAPPED

    program = tmp_path / "started.py"
    program.write_text(_WRAPPED.format(lines=indented))
    from assistant.sandbox import Sandbox

    with Sandbox(program, layer=layer) as opened:
        started = json.loads(opened.receive())
    assert forked[0] == started[0] == "ok"
    for name, value in started[1].items():
        assert forked[1][name] == value, name


LEFT = {
    "a file": "open('/tmp/left', 'w').write('x')",
    "a closed folder": "import os; os.umask(0); os.mkdir('/tmp/a', 0); os.umask(0o777); "
    "os.mkdir('/tmp/b')",
    "a deep tree": "import os\nfor _ in range(500): os.mkdir('d' * 200); os.chdir('d' * 200)",
    "many files": "for n in range(2000): open(f'/tmp/{n}', 'w').close()",
    "a full folder": "open('/tmp/f', 'wb').write(bytes(7 << 20))",
    "a link": "import os; os.symlink('/proc/1/root', '/tmp/l')",
    "a pipe": "import os; os.mkfifo('/tmp/p')",
    "a file without a name": "f = open('/tmp/f', 'wb'); import os; os.unlink('/tmp/f'); "
    "f.write(bytes(1 << 20))",
    "threads": "import threading\nfor _ in range(20): threading.Thread(target=lambda: "
    "__import__('time').sleep(60), daemon=True).start()",
    "a lock": "import fcntl, os; fcntl.flock(os.open('/tmp', os.O_RDONLY), fcntl.LOCK_EX)",
    "full pipes": "import os, sys; os.set_blocking(1, False); os.set_blocking(2, False)\n"
    "for fd in (1, 2):\n  try: os.write(fd, bytes(60000))\n  except OSError: pass",
    "forged answers": "import os, sys; [os.write(int(sys.argv[1]), b'\\0\\0\\0\\3bad') "
    "for _ in range(1000)]",
    "other limits": "import os, resource, signal; resource.setrlimit(resource.RLIMIT_NOFILE, "
    "(10, 10)); os.environ['X'] = 'y'; os.chdir('/proc'); os.umask(0o777); "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "an end by itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "a stop": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "a closed channel": "import os, sys; os.close(int(sys.argv[1])); os.close(int(sys.argv[2]))",
    "scores": "import os\nfor n in ('oom_score_adj', 'autogroup', 'coredump_filter'):\n"
    "  try: open('/proc/1/' + n, 'w').write('9')\n  except OSError: pass",
    "a name": "import sys; open('/proc/self/comm', 'w').write('evil')",
}


@pytest.mark.parametrize("what", LEFT)
def test_the_next_one_finds_nothing(
    box: Callable[..., Any], inside: Callable[..., Any], nursery: Nursery, what: str
):
    """Whatever one leaves: files, threads, bytes in its pipes, questions that nobody reads."""
    with box(LEFT[what] + "\nsend(b'done')\nimport time; time.sleep(60)") as opened:
        try:
            opened.send(b"for nobody")
            opened.receive(wall_s=0.5)
        except Ended:
            pass
    lines = """
    import os
    with open("/proc/self/comm") as file: name = file.read()
    with open("/proc/self/oom_score_adj") as file: score = int(file.read())
    with open("/proc/self/coredump_filter") as file: dumped = int(file.read(), 16)
    free = os.statvfs("/tmp")
    answer = [os.listdir("/tmp"), os.getcwd(), dict(os.environ), "evil" in name,
              free.f_blocks - free.f_bfree, [p for p in os.listdir("/proc") if p.isdigit()
              and int(p) not in (1, os.getpid())], score == 9, dumped == 9]
    """
    kind, found = inside(lines)
    assert (kind, found[0], found[1], found[2:4]) == ("ok", [], "/tmp", [{}, False])
    assert found[4:] == [0, [], False, False]
    assert len(below(nursery.pids[1])) == 1


def test_many_in_a_row_leave_nothing(box: Callable[..., Any], nursery: Nursery):
    endings = [ECHO, "raise SystemExit", "import os; os.abort()", "open('/tmp/x', 'w')", "1 / 0"]
    with box(ECHO):
        pass
    before, broken = len(descriptors()), nursery.broken
    for number in range(300):
        with box(endings[number % len(endings)]) as opened:
            if number % 3:
                try:
                    opened.send(b"%d" % number)
                    assert opened.receive() == b"%d" % number
                except Ended as ended:
                    assert ended.ending is Ending.EXIT
    with box(ECHO):
        pass
    assert len(descriptors()) == before
    assert nursery.broken == broken


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("import os; os._exit(7)", 7),
        ("import sys; sys.exit(3)", 3),
        ("import os; os.abort()", -6),
        ("import os; os._exit(200)", -72),
        ("1 / 0", 1),
    ],
)
def test_the_status_is_that_of_one_that_was_started(
    ending: Callable[..., Ended], lines: str, status: int
):
    ended = ending(lines)
    assert (ended.ending, ended.status) == (Ending.EXIT, status)


def test_a_nursery_that_is_killed_is_no_verdict(box: Callable[..., Any], layer: Layer):
    with Nursery() as nursery:
        for which in (0, 1):
            with pytest.raises(SandboxUnavailable), box(ECHO, nursery=nursery) as opened:
                opened.send(b"x")
                assert opened.receive() == b"x"
                running = [*nursery.pids, opened._process.pid]
                os.kill(nursery.pids[which], signal.SIGKILL)
                opened.receive()
            wait_until(lambda pids=running: all(map(gone, pids)))
            assert nursery.broken == which + 1
        with box(ECHO, nursery=nursery) as opened:
            opened.send(b"x")
            assert opened.receive() == b"x"


def test_a_waiting_nursery_that_is_killed_is_replaced(layer: Layer):
    source = "def f(x): return x + 1"
    with Nursery() as nursery:
        for which in (0, 1, 0, 1):
            nursery.prepare(Limits())
            os.kill(nursery.pids[which], signal.SIGKILL)
            verdict = judge_calls(source, "f", [Call((1,), 2)], layer=layer, nursery=nursery)
            assert verdict.outcome in (Outcome.PASS, Outcome.SANDBOX_UNAVAILABLE)
            again = judge_calls(source, "f", [Call((1,), 2)], layer=layer, nursery=nursery)
            assert again.outcome is Outcome.PASS


def test_what_a_broken_nursery_may_have_caused_is_judged_again(monkeypatch: pytest.MonkeyPatch):
    nursery, judged = Nursery(), []

    def judge(work: object, stop: object, given: Nursery | None = None) -> str:
        judged.append(given)
        if given is not None:
            given.broken += 1
        return "broken" if given is not None else "right"

    monkeypatch.setattr(worker.judging, "judge", judge)
    work = worker.judging.Work("task", 0, "")
    assert worker.do(work, worker.threading.Event(), nursery) == "right"
    assert judged == [nursery, None]


def test_one_that_never_starts_is_tried_a_few_times(
    layer: Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Programs are started in the usual way then, and nothing is left of the attempts."""
    tried = []

    def start(*_: object) -> None:
        tried.append(1)
        raise SandboxUnavailable("no")

    monkeypatch.setattr(setup, "nursery", start)
    before = descriptors()
    with Nursery() as nursery:
        for _ in range(15):
            assert nursery.born(Limits()) is None
    assert len(tried) == nursery.broken == 10
    assert descriptors() == before


def test_it_is_replaced_after_a_while(box, layer: Layer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nursery_module, "_MOST_CHILDREN", 3)
    with Nursery() as nursery:
        seen = []
        for _ in range(7):
            with box(ECHO, nursery=nursery):
                seen.append(nursery.pids)
        assert len(set(seen)) == 3


def test_a_second_program_and_another_folder_are_served(box: Callable[..., Any], nursery: Nursery):
    with box(ECHO) as first, box(ECHO) as second:
        assert not isinstance(second._process, Born)
        for opened in (first, second):
            opened.send(b"x")
            assert opened.receive() == b"x"
    with box(ECHO, Limits(folder_mb=1)) as opened:
        assert isinstance(opened._process, Born)
        opened.send(b"x")
        assert opened.receive() == b"x"


PARENT = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from assistant.sandbox import Layer, Limits, Sandbox
from assistant.sandbox.nursery import Nursery
nursery = Nursery()
{before}
print("started", flush=True)
while True:
    with Sandbox(Path({program!r}), Limits(cpu_s=600, wall_s=600), nursery=nursery) as box:
        box.receive()
        {inside}
"""


@pytest.mark.parametrize("moment", ["at once", "while one runs", "between"])
def test_the_end_of_the_parent_ends_it(layer: Layer, tmp_path: Path, moment: str):
    """Killed for good, with no chance to clean up."""
    program = tmp_path / "busy.py"
    program.write_text("send(b'')\nwhile True: pass")
    source = PARENT.format(
        root=str(ROOT),
        program=str(program),
        before="nursery.prepare(Limits())" if moment != "at once" else "",
        inside="time.sleep(600)" if moment == "while one runs" else "",
    )
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as said:
        assert said.readline() == b"started\n"
        if moment == "while one runs":
            wait_until(lambda: len(below(parent.pid)) == 4)
        else:
            time.sleep(random.random() / 20)
        running = below(parent.pid)
        parent.kill()
        parent.wait()
    wait_until(lambda: all(map(gone, running)))


def test_a_nursery_may_be_closed_before_its_program_is():
    """The program's end then has nothing to ask, and signals no number that was given back."""
    nursery = Nursery()
    nursery.prepare(Limits())
    child = nursery.born(Limits())
    assert child is not None
    left = nursery.pids

    nursery.close()
    child.end()

    assert left and all(map(gone, left))
