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


def local_command(environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """The program that takes the clipboard's new text on its standard input, if there is one.

    Args:
        environment: where to look for `PATH`, the display and the marks of an SSH session.

    Returns:
        The command, or None over SSH (the program would fill the wrong machine's clipboard)
        and where nothing suitable is installed.
    """
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return None
    for command, usable in (
        (["pbcopy"], sys.platform == "darwin"),
        (["clip"], sys.platform == "win32"),
        (["wl-copy"], bool(environment.get("WAYLAND_DISPLAY"))),
        (["xclip", "-selection", "clipboard"], bool(environment.get("DISPLAY"))),
        (["xsel", "--clipboard", "--input"], bool(environment.get("DISPLAY"))),
    ):
        if usable and shutil.which(command[0], path=environment.get("PATH")):
            return command
    return None


async def copy_locally(text: str, command: list[str]) -> bool:
    """Give `text` to a clipboard program.

    Args:
        text: the exact text; not a newline is added.
        command: what `local_command` returned.

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
