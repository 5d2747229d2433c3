"""What the environment says of the hub: where it is, who asks, and whether it may be asked.

The variables are those of the hub's own tools.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from assistant import locations
from assistant.errors import ConfigProblem

HOME = "https://huggingface.co"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def offline() -> bool:
    """Whether the user forbids the network, as the hub's own tools read it."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    value = next((value for name in names if (value := os.environ.get(name, "").strip())), "")
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def token() -> str:
    """The user's token, from the environment or the file that the hub's own tools write."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if value := os.environ.get(name, "").strip():
            return value
    path = locations.named_folder("HF_TOKEN_PATH") or _token_file()
    try:
        return path.read_text("utf-8").strip() if path is not None else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _token_file() -> Path | None:
    """An `ASSISTANT_HOME` is complete in itself: what belongs to another home stays there."""
    if locations.home() is not None and locations.named_folder("HF_HOME") is None:
        return None
    return locations.hub_home() / "token"


def endpoint() -> str:
    """The address of the hub.

    Raises:
        ConfigProblem: `HF_ENDPOINT` is none that downloads may come from.
    """
    text = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or HOME
    try:
        url = urlsplit(text)
        whole = bool(url.hostname) and (url.port or 1) and not (url.query or url.fragment)
    except ValueError as error:
        raise _bad_endpoint(text, str(error)) from error
    if "@" in url.netloc or not whole or url.scheme not in ("http", "https"):
        raise _bad_endpoint(_without_password(text), "no address such as https://huggingface.co")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise _bad_endpoint(text, "downloads come over https only")
    return text


def _without_password(text: str) -> str:
    return re.sub(r"//.*@", "//...@", text)


def _bad_endpoint(text: str, why: str) -> ConfigProblem:
    return ConfigProblem(
        f"HF_ENDPOINT is {text!r}: {why}.", hint="Correct it, or unset it to use the hub itself."
    )
