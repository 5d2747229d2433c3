"""The operating system's own lock on an open file: it ends with the process, however that ends."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":  # written, not tested

    def take(descriptor: int) -> bool:
        """Lock an open file for this process; False when another one has it."""
        import msvcrt

        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def take(descriptor: int) -> bool:
        """Lock an open file for this process; False when another one has it.

        On a file system without locks it is True: better than no work at all.
        """
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
