"""Programs that ask which walls are there: each catches a wall that went missing unseen."""

from tests.hostile.program import CLEAN, Case, Hostile, Token

_RLIMITS = """
import resource
def f(x):
    return [name for name in ('AS', 'CPU', 'FSIZE', 'NOFILE', 'NPROC', 'CORE')
            if resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1] == resource.RLIM_INFINITY]
"""
_NAMESPACE = """
import os
def f(x):
    try: return [n for n in x if os.readlink('/proc/self/ns/' + n) == HOST[n]]
    except OSError: return []
"""


def _space(*names: str) -> Hostile:
    return Hostile(
        name=f"probe: name space {', '.join(names)}",
        kind="probe",
        intent="compares its name space with the host's",
        source=_NAMESPACE,
        bubblewrap=("pass",),
        landlock=("wrong", "pass"),
        calls=(Case((list(names),), []),),
    )


PROGRAMS = (
    _space("net"),
    _space("pid"),
    _space("ipc"),
    _space("user"),
    _space("mnt"),
    _space("uts"),
    Hostile(
        name="probe: limits",
        kind="probe",
        intent="lists the limits that are not set",
        source=_RLIMITS,
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
    Hostile(
        name="probe: environment",
        kind="probe",
        intent="lists the variables beyond the harmless ones",
        source="import os\nFINE = ('PATH', 'PWD', 'LC_CTYPE')\n"
        "def f(x): return [n for n in os.environ if n not in FINE]\n",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
    Hostile(
        name="probe: Python and loader variables",
        kind="probe",
        intent="variables of the judge that would change the interpreter inside",
        source="import os, sys\ndef f(x):\n"
        "    return [n for n in os.environ if n[:3] == 'LD_' or n[:6] == 'PYTHON'] + (\n"
        "        ['path'] if any('hostile' in p for p in sys.path) else [])\n",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
    Hostile(
        name="probe: descriptors",
        kind="probe",
        intent="lists open descriptors that are neither a pipe nor a harmless device",
        source="import os, stat\ndef f(x):\n    got = []\n    for fd in range(256):\n"
        "        try: mode = os.fstat(fd).st_mode\n        except OSError: continue\n"
        "        if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)): got.append(fd)\n"
        "    return got\n",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
    Hostile(
        name="probe: working folder",
        kind="probe",
        intent="lists what is in its working folder",
        source="import os\ndef f(x):\n    try: return os.listdir('.')\n"
        "    except OSError: return []\n",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
    Hostile(
        name="probe: processes",
        kind="probe",
        intent="lists the processes that it can name, beyond its own and the sandbox's first",
        source="import os\ndef f(x):\n    own = {os.getpid(), os.getppid(), 1}\n"
        "    try: return [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in own]\n"
        "    except OSError: return []\n",
        bubblewrap=("pass",),
        landlock=("pass", "wrong"),
        calls=CLEAN,
    ),
    Hostile(
        name="probe: the nonce of the run",
        kind="control",
        intent="harmless: the secret is an argument, so the answer is right",
        source="def f(x): return x\n",
        bubblewrap=("pass",),
        calls=(Case((Token.SECRET,), Token.SECRET),),
    ),
)
