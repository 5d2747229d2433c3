"""Putting text on the clipboard of the machine that the terminal runs on.

The app always writes OSC 52, which crosses SSH but which some terminals ignore; a clipboard
program of this machine is used besides when the session is local and has one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping

TIMEOUT_S = 3.0


def local_commands(environment: Mapping[str, str] = os.environ) -> list[list[str]]:
    """The programs that take the clipboard's new text on their standard input.

    Args:
        environment: where to look for `PATH`, the display and the marks of an SSH session.

    Returns:
        None of them over SSH (they would fill the wrong machine's clipboard), except tmux, which
        drops OSC 52 as it comes configured and hands the text on to the terminal when asked.
    """
    here = not (environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))
    display, wayland = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    found: list[list[str]] = []
    for command, usable in (
        (["tmux", "load-buffer", "-w", "-"], environment.get("TMUX")),
        (["pbcopy"], here and sys.platform == "darwin"),
        (["clip"], here and sys.platform == "win32"),
        (["wl-copy"], here and wayland),
        (["xclip", "-selection", "clipboard"], here and display and not wayland),
        (["xsel", "--clipboard", "--input"], here and display and not wayland),
    ):
        if usable and shutil.which(command[0], path=environment.get("PATH")):
            found.append(command)
    return found


async def copy_locally(text: str, command: list[str]) -> bool:
    """Give `text` to a clipboard program.

    Args:
        text: the exact text; not a newline is added.
        command: one of `local_commands`.

    Returns:
        False when the program failed or did not take the text in time.
    """
    try:
        # xclip stays behind to serve the selection: with our pipes as its output we would wait
        # for it, and in our process group it would die with the app.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode("utf-8", "replace")), TIMEOUT_S)
    except TimeoutError:
        process.kill()
        return False
    return process.returncode == 0
