"""Programs that mean to outlive the judge: they burn, so a survivor is seen by its work.

Judged like all others, they end by their time. `test_killed.py` kills the judge meanwhile.
"""

from tests.hostile.program import SHORT, Hostile

_BURN = "def f(x):\n    while True: pass\n"


def _stays(name: str, source: str, intent: str) -> Hostile:
    return Hostile(
        name=f"left: {name}",
        kind="survivor",
        intent=intent,
        source=source + _BURN,
        bubblewrap=("timeout",),
        limits=SHORT,
    )


PROGRAMS = (
    _stays("burns", "", "does not look at the channel any more"),
    _stays(
        "deaf to signals",
        "import signal\nfor s in range(1, 65):\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n",
        "whatever can be ignored is",
    ),
    _stays(
        "takes its bond back",
        "import ctypes\nctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\n",
        "the kernel should forget that the end of the parent is its own",
    ),
    _stays(
        "in a session of its own",
        "import os\nfor act in (os.setsid, lambda: os.setpgid(0, 0)):\n"
        "    try: act()\n    except OSError: pass\n",
        "no signal to a group or a session reaches it",
    ),
    _stays(
        "without streams",
        "import os\nos.closerange(0, 3)\n",
        "no closed stream tells it that nobody is there",
    ),
)
