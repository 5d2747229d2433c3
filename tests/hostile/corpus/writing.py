"""Programs that try to change the host: a folder that the test made, with one file in it."""

from tests.hostile.program import CLEAN, REFUSED, Hostile, Witness

_GONE = (*REFUSED, "error NotADirectoryError", "error FileExistsError")
_GOOD = "def f(x): return x + 1\n"


def _writes(name: str, source: str, *allowed: str, tame: bool = True, **more: object) -> Hostile:
    return Hostile(
        name=f"write: {name}",
        kind="write",
        intent="changes a folder of the host",
        source="import os\n" + source + _GOOD,
        bubblewrap=allowed or _GONE,
        witness=Witness.FOLDER,
        tame=tame,
        **more,  # type: ignore[arg-type]
    )


_PRIVATE = Hostile(
    name="write: the temporary folder",
    kind="write",
    intent="a file in /tmp stays private to the sandbox",
    source="open('/tmp/hostile-' + NONCE, 'w').write('here')\n" + _GOOD,
    bubblewrap=("pass",),
    landlock=REFUSED,
    witness=Witness.FOLDER,
)

PROGRAMS = (
    _writes("open", "open(TARGET + '/new', 'w').write('here')\n"),
    _writes("append", "open(TARGET + '/kept', 'a').write('more')\n"),
    _writes("truncate", "os.truncate(TARGET + '/kept', 0)\n"),
    _writes("folder", "os.mkdir(TARGET + '/new')\n"),
    _writes("remove", "os.unlink(TARGET + '/kept')\n"),
    _writes("rename", "os.rename(TARGET + '/kept', TARGET + '/gone')\n"),
    _writes("symbolic link", "os.symlink('/', TARGET + '/new')\n"),
    _writes("hard link", "os.link(TARGET + '/kept', TARGET + '/new')\n"),
    _writes("fifo", "os.mkfifo(TARGET + '/new')\n"),
    _writes("mode", "os.chmod(TARGET + '/kept', 0o777)\n"),
    _writes(
        "mode by descriptor",
        "os.fchmod(os.open(TARGET + '/kept', os.O_RDONLY), 0o777)\n",
    ),
    _writes("times", "os.utime(TARGET + '/kept', (1, 1))\n"),
    _writes("attribute", "os.setxattr(TARGET + '/kept', 'user.a', b'1')\n", tame=False),
    _writes("owner", "os.chown(TARGET + '/kept', 12345, 12345)\n", tame=False),
    _writes(
        "file without a name, linked later",
        "fd = os.open(TARGET, os.O_TMPFILE | os.O_WRONLY)\nos.write(fd, b'here')\n"
        "os.link(f'/proc/self/fd/{fd}', TARGET + '/new', follow_symlinks=True)\n",
        tame=False,
    ),
    _writes("by /proc/self/root", "open('/proc/self/root' + TARGET + '/new', 'w')\n"),
    _writes("by the judge's root", "open(f'/proc/{JUDGE}/root' + TARGET + '/new', 'w')\n"),
    _writes(
        "socket",
        "import socket\nsocket.socket(socket.AF_UNIX).bind(TARGET + '/new')\n",
    ),
    _writes(
        "a link out of its own folder",
        "os.symlink(TARGET, 'out')\nopen('out/new', 'w').write('here')\n",
        tame=False,
    ),
    _PRIVATE,
    Hostile(
        name="write: every folder there is",
        kind="write",
        intent="lists the folders outside of its own that take a file",
        source="""
import os
OWN = ('/tmp', '/proc', '/dev/shm') if os.path.realpath('.') == '/tmp' else ('/proc',)
def f(x):
    found = []
    for top, folders, files in os.walk('/'):
        folders[:] = [d for d in folders if os.path.join(top, d) not in OWN]
        if top.count('/') > 2: folders[:] = []
        path = os.path.join(top, 'hostile-' + NONCE)
        try: os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except OSError: continue
        os.unlink(path)
        found.append(top)
    return found
""",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
)
