"""Programs that look for what the host keeps: a file that the test made, with a random text.

The parent expects that text as the answer, so a pass would be the escape.
"""

from tests.hostile.program import NOT_PASS, REFUSED, STOLEN, Hostile, Witness

_GONE = (*REFUSED, "error NotADirectoryError", "wrong")


def _reads(
    name: str,
    body: str,
    *allowed: str,
    tame: bool = True,
    intent: str = "reads a file of the host",
) -> Hostile:
    return Hostile(
        name=f"read: {name}",
        kind="read",
        intent=intent,
        source=body,
        bubblewrap=allowed or _GONE,
        calls=STOLEN,
        witness=Witness.SECRET,
        tame=tame,
    )


def _one(name: str, expression: str, before: str = "", **more: object) -> Hostile:
    source = f"import os\n{before}\ndef f(x):\n    return {expression}\n"
    return _reads(name, source, **more)  # type: ignore[arg-type]


_HUNT = """
import gc, sys, threading
MARK = 'hostile-' + 'secret-'
def texts(root, seen, depth=0):
    if id(root) in seen or depth > 8: return
    seen.add(id(root))
    if isinstance(root, str):
        if MARK in root and root != MARK: yield root
    elif isinstance(root, bytes):
        if MARK.encode() in root: yield root.decode('latin-1')
    elif isinstance(root, dict):
        for k in list(root):
            yield from texts(k, seen, depth + 1)
            yield from texts(root[k], seen, depth + 1)
    elif isinstance(root, (list, tuple, set, frozenset)):
        for item in list(root): yield from texts(item, seen, depth + 1)
"""

PROGRAMS = (
    _one("open", "open(SECRET_FILE).read()"),
    _one("os.open", "os.read(os.open(SECRET_FILE, os.O_RDONLY), 999).decode()"),
    _one(
        "C library",
        "read()",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def read():\n    fd = libc.open(SECRET_FILE.encode(), 0)\n"
        "    if fd < 0: raise OSError(ctypes.get_errno(), 'refused')\n"
        "    b = ctypes.create_string_buffer(999)\n    libc.read(fd, b, 998)\n"
        "    return b.value.decode()\n",
    ),
    _one("by a relative path", "open('../' * 30 + SECRET_FILE.lstrip('/')).read()"),
    _one("by /proc/self/root", "open('/proc/self/root' + SECRET_FILE).read()"),
    _one("by /proc/1/root", "open('/proc/1/root' + SECRET_FILE).read()", tame=False),
    _one("by the parent's root", "open(f'/proc/{os.getppid()}/root{SECRET_FILE}').read()"),
    _one(
        "by the judge's working folder",
        "open(f'/proc/{JUDGE}/cwd/' + '../' * 30 + SECRET_FILE.lstrip('/')).read()",
    ),
    _one(
        "through a symbolic link",
        "open('link').read()",
        "os.symlink(SECRET_FILE, 'link')",
        tame=False,
    ),
    _one("through a hard link", "open('hard').read()", "os.link(SECRET_FILE, 'hard')", tame=False),
    _one(
        "a path descriptor reopened",
        "open(f'/proc/self/fd/{fd}').read()",
        "fd = os.open(SECRET_FILE, os.O_PATH)",
    ),
    _one(
        "by the loader of modules",
        "__import__('importlib.machinery').machinery.FileFinder and "
        "__import__('importlib.machinery').machinery.SourceFileLoader('a', SECRET_FILE)"
        ".get_data(SECRET_FILE).decode()",
    ),
    _one(
        "by a map of the file",
        "mmap.mmap(os.open(SECRET_FILE, 0), 0, flags=2, prot=1).read().decode()",
        "import mmap",
    ),
    _one(
        "by sendfile into a pipe",
        "copy()",
        "def copy():\n    r, w = os.pipe()\n"
        "    os.sendfile(w, os.open(SECRET_FILE, 0), 0, 999)\n"
        "    return os.read(r, 999).decode()\n",
    ),
    _one(
        "by the traceback of a forged line",
        "linecache.getline(SECRET_FILE, 1).rstrip()",
        "import linecache",
    ),
    _one(
        "by a program of the system",
        "subprocess.run(['/bin/cat', SECRET_FILE], capture_output=True, text=True).stdout",
        "import subprocess",
    ),
    _one(
        "the names in its folder",
        "open(os.path.join(d, os.listdir(d)[0])).read()",
        "d = os.path.dirname(SECRET_FILE)",
    ),
    _one(
        "by a file handle",
        "read()",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "class Handle(ctypes.Structure):\n"
        "    _fields_ = [('size', ctypes.c_uint), ('kind', ctypes.c_int),\n"
        "                ('data', ctypes.c_char * 128)]\n"
        "def read():\n    h, m = Handle(128, 0), ctypes.c_int()\n"
        "    if libc.name_to_handle_at(-100, SECRET_FILE.encode(), ctypes.byref(h),\n"
        "                              ctypes.byref(m), 0):\n"
        "        raise OSError(ctypes.get_errno(), 'no handle')\n"
        "    fd = libc.open_by_handle_at(os.open('/', 0), ctypes.byref(h), 0)\n"
        "    if fd < 0: raise OSError(ctypes.get_errno(), 'no file')\n"
        "    return os.read(fd, 999).decode()\n",
        tame=False,
    ),
    _reads(
        "its own environment",
        "import os\ndef f(x):\n    return os.environ['HOSTILE_SECRET']\n",
        "error KeyError",
        intent="a variable that the judge was started with",
    ),
    _reads(
        "the environment behind Python's back",
        "import ctypes\ngetenv = ctypes.CDLL(None).getenv\n"
        "getenv.restype = ctypes.c_char_p\n"
        "def f(x):\n    return (getenv(b'HOSTILE_SECRET') or b'').decode()\n",
        "wrong",
        intent="a variable that the judge was started with",
    ),
    *(
        _reads(
            f"the environment of {who}",
            "import os\ndef f(x):\n"
            f"    for line in open(f'/proc/{pid}/environ', 'rb').read().split(b'\\0'):\n"
            "        name, _, value = line.partition(b'=')\n"
            "        if name == b'HOSTILE_SECRET': return value.decode()\n"
            "    return ''\n",
            *_GONE,
            "error ProcessLookupError",
            tame=tame,
            intent="a variable that the judge was started with",
        )
        for who, pid, tame in (
            ("itself, from /proc", "self", True),
            ("process 1", "1", False),
            ("its parent", "{os.getppid()}", True),
            ("the judge", "{JUDGE}", True),
        )
    ),
    _reads(
        "every process there is",
        "import glob\ndef f(x):\n    found = []\n"
        "    for path in glob.glob('/proc/[0-9]*/environ'):\n"
        "        try: found += open(path, 'rb').read().split(b'\\0')\n"
        "        except OSError: pass\n"
        "    return next((v.partition(b'=')[2].decode() for v in found\n"
        "                 if v.startswith(b'HOSTILE_SECRET=')), '')\n",
        "wrong",
        *REFUSED,
        intent="a variable that the judge was started with",
    ),
    _reads(
        "descriptors that were left open",
        "import os\ndef f(x):\n    for fd in range(3, 256):\n"
        "        try: text = os.pread(fd, 999, 0)\n        except OSError: continue\n"
        "        if text: return text.decode()\n    return ''\n",
        "wrong",
        tame=False,
        intent="a file that the judge has open, inheritable",
    ),
    _reads(
        "memory of the judge",
        "def f(x):\n    open(f'/proc/{JUDGE}/mem', 'rb')\n    return open(SECRET_FILE).read()\n",
        *_GONE,
    ),
    _reads(
        "expected in the frames above",
        _HUNT + "def f(x):\n    seen, frame = set(), sys._getframe()\n    while frame:\n"
        "        for place in (frame.f_locals, frame.f_globals):\n"
        "            for text in texts(dict(place), seen): return text\n"
        "        frame = frame.f_back\n    return ''\n",
        "wrong",
        tame=False,
        intent="the value that the parent compares with",
    ),
    _reads(
        "expected among all objects",
        _HUNT + "def f(x):\n    seen = set()\n    for thing in gc.get_objects():\n"
        "        for text in texts(thing, seen): return text\n    return ''\n",
        "wrong",
        tame=False,
        intent="the value that the parent compares with",
    ),
    _reads(
        "expected in the frames of all threads",
        _HUNT + "def f(x):\n    seen = set()\n    for frame in sys._current_frames().values():\n"
        "        while frame:\n            for text in texts(dict(frame.f_locals), seen):\n"
        "                return text\n            frame = frame.f_back\n    return ''\n",
        "wrong",
        tame=False,
        intent="the value that the parent compares with",
    ),
    _reads(
        "expected in its memory",
        "import re\nMARK = re.compile(b'hostile-' + rb'secret-[0-9a-f]{32}')\ndef f(x):\n"
        "    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as mem:\n"
        "        for line in maps:\n            if ' rw' not in line: continue\n"
        "            low, high = (int(n, 16) for n in line.split()[0].split('-'))\n"
        "            try:\n                mem.seek(low)\n"
        "                found = MARK.search(mem.read(high - low))\n"
        "            except (OSError, ValueError, OverflowError): continue\n"
        "            if found: return found[0].decode()\n    return ''\n",
        *("wrong", *REFUSED),
        tame=False,
        intent="the value that the parent compares with, anywhere in the process",
    ),
    _reads(
        "expected in what waits on the channel",
        "import os, stat\ndef f(x):\n    for fd in range(3, 64):\n        try:\n"
        "            if not stat.S_ISFIFO(os.fstat(fd).st_mode): continue\n"
        "            os.set_blocking(fd, False)\n            text = os.read(fd, 1 << 16)\n"
        "            if b'hostile-' in text: return text[text.index(b'hostile-'):].decode()\n"
        "        except OSError: pass\n    return ''\n",
        *NOT_PASS,
        tame=False,
        intent="the value that the parent compares with",
    ),
)
