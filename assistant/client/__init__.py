"""The way to a model: the user's daemon, or an OpenAI-compatible endpoint.

    types.py       targets, requests, and the chunks of an answer
    dialect.py     their JSON
    start.py       starting the daemon, once for all clients
    connection.py  connect, ask, cancel
"""

from assistant.client.types import (
    ChatRequest,
    Chunk,
    Daemon,
    Delta,
    Endpoint,
    Finished,
    Forced,
    Message,
    ModelInfo,
    Progress,
    Target,
)

__all__ = [
    "ChatRequest",
    "Chunk",
    "Daemon",
    "Delta",
    "Endpoint",
    "Finished",
    "Forced",
    "Message",
    "ModelInfo",
    "Progress",
    "Target",
]
