"""What a sandboxed program can not do, with the same lines outside as the control."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from assistant.sandbox import Layer


def outside(lines: str) -> object:
    """What the same lines set `answer` to in a bare Python, without a sandbox."""
    program = f"{textwrap.dedent(lines)}\nimport json\nprint(json.dumps(answer))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return json.loads(run.stdout)


@pytest.fixture
def listeners(tmp_path: Path):
    """Something that listens, by each way of reaching it on this machine."""
    tcp = socket.create_server(("127.0.0.1", 0))
    tcp6 = socket.create_server(("::1", 0), family=socket.AF_INET6) if socket.has_ipv6 else None
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    path, abstract = str(tmp_path / "s"), f"\0sandbox-{os.getpid()}"
    unix, hidden = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    unix.bind(path)
    hidden.bind(abstract)
    for one in (unix, hidden):
        one.listen(16)
    yield {
        "tcp": ["AF_INET", "SOCK_STREAM", ["127.0.0.1", tcp.getsockname()[1]]],
        "udp": ["AF_INET", "SOCK_DGRAM", ["127.0.0.1", udp.getsockname()[1]]],
        "unix": ["AF_UNIX", "SOCK_STREAM", path],
        "abstract": ["AF_UNIX", "SOCK_STREAM", abstract],
    }
    for one in (tcp, tcp6, udp, unix, hidden):
        if one is not None:
            one.close()


def test_nobody_is_reached(inside, listeners):
    lines = f"""
    import socket
    answer = {{}}
    for name, (family, kind, address) in {listeners!r}.items():
        try:
            with socket.socket(getattr(socket, family), getattr(socket, kind)) as one:
                one.connect(tuple(address) if isinstance(address, list) else address)
                one.send(b"x")
            answer[name] = "reached"
        except OSError as error:
            answer[name] = type(error).__name__
    """
    assert outside(lines) == dict.fromkeys(listeners, "reached")

    assert inside(lines) == ["ok", dict.fromkeys(listeners, "PermissionError")]


def test_a_pair_of_sockets_reaches_nobody_else(inside, tmp_path: Path):
    """asyncio needs one; a datagram could be sent from it to any address."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = str(tmp_path / "d")
    receiver.bind(path)
    receiver.settimeout(5)
    lines = f"""
    import socket
    answer = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        try:
            socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b"out", {path!r})
            answer.append("sent")
        except OSError as error:
            answer.append(error.errno)
    """
    assert outside(lines)[0] == "sent" and receiver.recv(9) == b"out"

    kind, found = inside(lines)

    assert kind == "ok" and "sent" not in found
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(9)


def test_asyncio_works(inside):
    lines = """
    import asyncio
    async def twice(x):
        await asyncio.sleep(0)
        return 2 * x
    async def both():
        return await asyncio.gather(twice(1), asyncio.to_thread(lambda: 4))
    answer = asyncio.run(both())
    """
    assert inside(lines) == ["ok", [2, 4]]


def test_files_of_the_user_are_not_read(inside, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("holds a secret")
    lines = f"""
    import os
    answer = {{}}
    home = os.path.expanduser("~")
    for path in ({str(secret)!r}, "/etc/passwd", "/etc/hostname", {str(Path(__file__))!r},
                 {str(Path.home())!r}, "/home", "/",
                 "/proc/self/root{secret}", "/proc/1/root{secret}",
                 "/proc/self/cwd/../../../../../../{secret}"):
        try:
            answer[path] = os.listdir(path) if os.path.isdir(path) else open(path).read(5)
        except OSError as error:
            answer[path] = type(error).__name__
    """
    control = outside(lines)
    assert control[str(secret)] == "holds" and control["/etc/passwd"]

    kind, found = inside(lines)

    assert kind == "ok"
    # A root of its own can be listed: it holds the way to Python, and nothing of this folder.
    listed = {path: names for path, names in found.items() if isinstance(names, list)}
    assert set(listed) <= {"/", str(Path.home())}
    assert not {"home", "work", "var", "mnt"} & set(listed.get("/", []))
    assert set(listed.get(str(Path.home()), [])) <= {".pyenv", ".local"}
    errors = {"FileNotFoundError", "PermissionError"}
    assert {answer for path, answer in found.items() if path not in listed} <= errors


def test_nothing_is_written_outside(inside, tmp_path: Path):
    victim = tmp_path / "victim.txt"
    victim.write_text("as it was")
    lines = f"""
    import os
    answer = []
    path = {str(victim)!r}
    for act in (lambda: open(path, "a").write("x"), lambda: os.truncate(path, 0),
                lambda: os.chmod(path, 0o777), lambda: os.utime(path, (0, 0)),
                lambda: os.link(path, path + "2"), lambda: os.remove(path),
                lambda: open({str(tmp_path)!r} + "/new", "w"),
                lambda: os.setxattr(path, "user.a", b"b")):
        try:
            act()
            answer.append("done")
        except OSError as error:
            answer.append(type(error).__name__)
    """
    before = victim.stat()

    kind, found = inside(lines)

    assert kind == "ok" and "done" not in found
    after = victim.stat()
    assert victim.read_text() == "as it was" and list(tmp_path.glob("new*")) == []
    assert (before.st_mode, before.st_mtime_ns, before.st_nlink) == (
        after.st_mode,
        after.st_mtime_ns,
        after.st_nlink,
    )
    assert outside(lines).count("done") >= 5


def test_python_itself_is_not_changed(inside):
    lines = """
    import os
    answer = []
    for act in (lambda: open(os.__file__, "a"), lambda: os.remove(os.__file__),
                lambda: os.open(os.__file__, os.O_RDONLY | os.O_TRUNC),
                lambda: open(os.path.dirname(os.__file__) + "/planted.py", "w")):
        try:
            act()
            answer.append("done")
        except OSError:
            answer.append("refused")
    """
    size = Path(os.__file__).stat().st_size

    assert inside(lines) == ["ok", ["refused"] * 4]
    assert Path(os.__file__).stat().st_size == size
    assert not Path(os.__file__).with_name("planted.py").exists()


def test_the_environment_is_clean(inside, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SANDBOX_TEST_TOKEN", "a secret")
    lines = """
    import os
    answer = [dict(os.environ)]
    for path in ("/proc/self/environ", "/proc/1/environ"):
        try:
            answer.append(open(path).read())
        except OSError:
            answer.append("")
    """
    assert "a secret" in str(outside(lines))

    kind, (environment, *files) = inside(lines)

    assert kind == "ok" and environment == {}
    allowed = {"PYTHONHASHSEED=0", "MALLOC_ARENA_MAX=1", "PWD=/tmp", ""}
    assert {entry for file in files for entry in file.split("\0")} <= allowed


def test_no_other_process_is_seen_signalled_or_traced(inside):
    parent = os.getpid()
    heard: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
    lines = f"""
    import ctypes, os, signal
    library = ctypes.CDLL(None)
    answer = []
    for pid in (os.getppid(), {parent}, 0, -1):
        try:
            os.kill(pid, signal.SIGUSR1)
            answer.append(pid)
        except OSError:
            pass
    answer += [pid for pid in (os.getppid(), {parent}) if library.ptrace(16, pid, 0, 0) == 0]
    try:
        answer += [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]
    except OSError:
        pass
    """
    try:
        assert inside(lines) == ["ok", []]
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert heard == []


def test_it_may_signal_itself(ending):
    assert ending("import os, signal; os.kill(os.getpid(), signal.SIGTERM)").status == -15


def test_no_new_program_and_no_new_process(inside):
    lines = """
    import os, subprocess, sys, multiprocessing
    answer = []
    for act in (os.fork, os.forkpty, lambda: os.posix_spawn(sys.executable, ["x"], {}),
                lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
                lambda: subprocess.run([sys.executable, "-c", ""]),
                lambda: os.system("true") and 1 / 0,
                lambda: multiprocessing.Process(target=print).start()):
        try:
            act()
            answer.append("done")
        except Exception as error:
            answer.append(type(error).__name__)
    """
    kind, found = inside(lines)

    assert kind == "ok" and "done" not in found


def test_a_limit_once_set_stays(inside):
    """Root, too: it has no capability left that could raise one."""
    lines = """
    import resource
    answer = []
    for name in ("AS", "CPU", "FSIZE", "NOFILE", "CORE"):
        kind = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(kind)[1]
        try:
            resource.setrlimit(kind, (hard + 1, hard + 1))
            answer.append(name)
        except ValueError:
            pass
    """
    assert inside(lines) == ["ok", []]


def test_no_capability_and_no_new_privilege(inside, layer: Layer):
    lines = """
    import ctypes
    library = ctypes.CDLL(None)
    kept = [number for number in range(41) if library.prctl(23, number, 0, 0, 0)]
    answer = [library.prctl(39, 0, 0, 0, 0), kept]
    """
    kind, (no_new_privileges, bounding) = inside(lines)

    assert kind == "ok" and no_new_privileges == 1
    assert os.getuid() != 0 or bounding == []


def test_descriptors_of_the_parent_stay_outside(inside, tmp_path: Path):
    """Even those that may be inherited, while others start sandboxes at the same time."""
    held = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(held, True)
    lines = """
    import os
    answer = []
    for fd in range(1024):
        try:
            os.fstat(fd)
            answer.append(fd)
        except OSError:
            pass
    """
    found: list[list] = []
    try:
        threads = [threading.Thread(target=lambda: found.append(inside(lines))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        os.close(held)
    assert [(kind, len(fds)) for kind, fds in found] == [("ok", 5)] * 4


def test_the_folder_is_its_own_and_gone_afterwards(inside, layer: Layer):
    if layer is Layer.LANDLOCK:
        assert inside("open('a', 'w')")[0] == "PermissionError"
        assert inside("import os; answer = os.listdir('.')") == ["ok", []]
        return
    name = f"sandbox-test-{os.getpid()}"
    lines = f"""
    import os
    open("/tmp/{name}", "w").write("x")
    answer = [os.getcwd(), os.listdir("."), os.path.exists("/dev/shm")]
    """
    assert inside(lines) == ["ok", ["/tmp", [name], False]]
    assert not Path("/tmp", name).exists()
    assert inside("import os; answer = os.listdir('/tmp')") == ["ok", []]


def test_nothing_else_can_be_filled(inside, layer: Layer):
    """Each mount that could be written to has a size."""
    if layer is Layer.LANDLOCK:
        pytest.skip("there is nothing to write to")
    lines = """
    import os
    answer = []
    for line in open("/proc/self/mounts"):
        folder = line.split()[1]
        try:
            open(folder + "/x", "w").close()
            answer.append(folder)
        except OSError:
            pass
    """
    assert inside(lines) == ["ok", ["/tmp"]]


def test_the_hash_of_a_text_is_always_the_same(inside):
    assert inside("answer = hash('a')") == inside("answer = hash('a')")


def test_the_library_of_python_is_whole(inside):
    lines = """
    import ssl, sqlite3, lzma, bz2, zlib, ctypes, decimal, zoneinfo, unicodedata, hashlib
    answer = [str(zoneinfo.ZoneInfo("Europe/Berlin")), open("/dev/null", "w").write("x"),
              sqlite3.connect(":memory:").execute("select 1").fetchone()[0]]
    """
    assert inside(lines) == ["ok", ["Europe/Berlin", 1, 1]]
