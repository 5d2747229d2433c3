"""Start a command where no layer of isolation works: `python unsandboxed.py COMMAND ...`.

For real: there is no `bwrap` on the path, and as many sets of Landlock rules are in force as the
kernel allows (16), so that it refuses another one. These rules forbid what nobody does: to make a
block device.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_MOST_SETS = 16
_MAKE_BLOCK = 1 << 11
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Give up what the layers need, and become the command."""
    call = ctypes.CDLL(None, use_errno=True)
    call.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    attributes = struct.pack("=Q", _MAKE_BLOCK)
    for _ in range(_MOST_SETS):
        ruleset = call.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
        if ruleset < 0 or call.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            break  # the kernel has no Landlock, or its sets are used up already
    os.execvpe(sys.argv[1], sys.argv[1:], {**os.environ, "PATH": "/nonexistent"})


if __name__ == "__main__":
    main()
