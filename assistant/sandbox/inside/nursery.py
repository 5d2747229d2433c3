"""A Python that is started once inside a sandbox and forked for every program that runs there.

`assistant.sandbox.nursery` says why. It is the first process of its namespace: what it forks
cannot signal it, and dies with it. It reads nothing that a program wrote, and while one runs it
does nothing but wait. The text of `start.py` follows this one: the child goes on there, in the same
scope, as if it had been started for one program.

Arguments: the descriptor of the socket on which requests come, and two of no use but to tell by
their end that this process is gone. A request is a byte with five descriptors: standard input,
output and error, questions, answers. The child says a byte, whose sender the kernel tells; at its
end its status comes, and whether all is as it was before.
"""

from __future__ import annotations

import gc
import os
import sys

# What `start.py`, `bootstrap.py` and the programs of the checks import: once, and not for each.
_OURS = ("_ctypes", "_json", "_socket", "_warnings", "marshal", "resource", "select")
# And what generated code imports most.
_THEIRS = ("collections", "functools", "itertools", "math", "re", "typing")
for _name in (*_OURS, *_THEIRS):
    __import__(_name)
_DESCRIPTORS = 5
_PR_SET_DUMPABLE = 4
_KILL = 9
_OWN_FILES = ("oom_score_adj", "coredump_filter", "autogroup")


def _child_of_request() -> list[int]:
    """Serve requests for ever; returns in each child, with the five descriptors of its request."""
    sockets, kernel = sys.modules["_socket"], sys.modules["_ctypes"]
    set_up = kernel.dlsym(kernel.dlopen(None, 0), "prctl")
    control, others = sockets.socket(fileno=int(sys.argv[1])), [int(fd) for fd in sys.argv[2:]]
    space = sockets.CMSG_SPACE(4 * _DESCRIPTORS)
    # So nobody of the same user opens its memory or descriptors through /proc.
    if os.getpid() != 1 or kernel.call_function(set_up, (_PR_SET_DUMPABLE, 0, 0, 0, 0)):
        os._exit(70)
    clean = _state()
    if not clean:
        os._exit(71)
    gc.collect()
    gc.freeze()  # a collection would copy every page that it looks at into each child
    while True:
        byte, extra, _, _ = control.recvmsg(1, space)
        if not byte:
            os._exit(0)
        packed = b"".join(data for _, _, data in extra)
        fds = [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, 20, 4)]
        if (child := os.fork()) == 0:
            control.send(b"+")
            control.close()
            for fd in others:
                os.close(fd)
            # As a program that is started has it.
            if kernel.call_function(set_up, (_PR_SET_DUMPABLE, 1, 0, 0, 0)):
                os._exit(72)
            os.setsid()
            return fds
        for fd in fds:
            os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        same = _alone() and _state() == clean
        control.send(b"%d %d" % (status, same))


def _alone() -> bool:
    """Whether there is no other process in the namespace; what there is, is killed."""
    try:
        os.kill(-1, _KILL)
    except ProcessLookupError:
        pass
    else:
        return False
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def _state() -> list[object]:
    """What a child could leave: in the only folder that can be written to, and in what the files
    of this process in /proc take from anybody of the same user, who may be root outside."""
    with os.scandir("/tmp") as entries:
        if next(entries, None) is not None:
            return []
    free = os.statvfs("/tmp")
    state: list[object] = [free.f_bfree, free.f_ffree]
    for name in _OWN_FILES:
        try:
            file = os.open("/proc/self/" + name, os.O_RDONLY)
        except OSError:  # a kernel without it
            continue
        state.append(os.read(file, 100))
        os.close(file)
    return state


_fds = _child_of_request()
for _fd in range(3):
    os.dup2(_fds[_fd], _fd)
    os.close(_fds[_fd])
sys.argv[:] = ["-c", str(_fds[4]), str(_fds[3])]
_used = "_OURS _THEIRS _child_of_request _alone _state _fds _fd gc _DESCRIPTORS"
_used += " _PR_SET_DUMPABLE _KILL _OWN_FILES"
for _name in (*_used.split(), "_used", "_name"):
    del globals()[_name]
