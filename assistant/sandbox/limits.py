"""What one sandboxed process may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds on one sandboxed process; all of them hold from before its program runs."""

    cpu_s: float = 5.0
    """Processor time of the whole process, in seconds."""
    wall_s: float = 10.0
    """The backstop for what uses no processor time, from start to end, in seconds. While others
    keep the processor from it the clock stands still (on Linux; five times as long at most)."""
    memory_mb: int = 512
    """Address space beyond what the bare interpreter takes."""
    file_mb: int = 8
    """Size of one file that it writes."""
    folder_mb: int = 16
    """Size of the temporary folder, where the layer gives one."""
    output_kb: int = 64
    """Standard output and standard error together."""
    message_kb: int = 1024
    """One frame on the channel."""
    threads: int = 32
    descriptors: int = 64
