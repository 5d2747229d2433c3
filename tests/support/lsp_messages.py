"""Every message that an editor may send, made up from the protocol's own types, and then broken.

A method that the server learns later is in it from the beginning.
"""

from __future__ import annotations

import copy
import enum
import json
import random
import types as python_types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import attrs
from lsprotocol import types
from lsprotocol.converters import get_converter

LEFT_OUT = ("initialize", "shutdown", "exit")
"""They begin and end a session."""
ODD: tuple[Any, ...] = (
    *(None, True, -1, 2**70, 1.5, "", "x\ud83d", "file:///fuzz.py", [], {}, [None], {"": 1}),
    *({"jsonrpc": "2.0"}, {"id": 1, "method": "exit"}, [[]] * 3, "y" * 5000, float("inf")),
)
NOTHING = object()
"""What is expected in answer to a notification."""


@dataclass(frozen=True)
class Sent:
    """Bytes for the server, and the id of the one response to them as JSON, or `NOTHING`."""

    data: bytes
    answer: object


@cache
def methods() -> dict[str, bool]:
    """The methods that an editor may send; True for a request."""
    return {
        method: response is not None
        for method, (_, response, _, _) in types.METHOD_TO_TYPES.items()
        if types.message_direction(method) != "serverToClient" and method not in LEFT_OUT
    }


@cache
def _converter() -> Any:
    return get_converter()


@cache
def _fields(made: type) -> dict[str, tuple[Any, bool]]:
    """The fields of a class, with their types and whether they have to be there."""
    hints = typing.get_type_hints(made)
    found = {}
    for field in attrs.fields(made):
        allowed = getattr(field.validator, "options", None)
        kind = typing.Literal[tuple(allowed)] if allowed else hints[field.name]
        found[field.name] = (kind, field.default is attrs.NOTHING)
    return found


def params(method: str, chance: random.Random, uris: Sequence[str]) -> Any:
    """Parameters as the protocol has them."""
    kind = types.METHOD_TO_TYPES[method][2]
    if kind is None:
        return None
    return _converter().unstructure(_Maker(chance, uris).make(kind, 0), unstructure_as=kind)


@dataclass(frozen=True)
class _Maker:
    chance: random.Random
    uris: Sequence[str]

    def make(self, kind: Any, depth: int) -> Any:
        """A value of a type."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if attrs.has(kind):
            return self._object(kind, depth)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self.chance.choice(list(kind))
        if origin in (typing.Union, python_types.UnionType):
            return self.make(self.chance.choice(arguments), depth)
        if origin is typing.Literal:
            return self.chance.choice(arguments)
        if origin is tuple:
            return tuple(self.make(one, depth + 1) for one in arguments if one is not ...)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"a": self.make(arguments[1], depth + 1)}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return [self.make(arguments[0], depth + 1) for _ in range(self.chance.randrange(3))]
        return self._plain(kind)

    def _object(self, kind: Any, depth: int) -> Any:
        chosen = {
            name: self.make(one, depth + 1)
            for name, (one, needed) in _fields(kind).items()
            if needed or (depth < 4 and self.chance.random() < 0.4)
        }
        return kind(**chosen)

    def _plain(self, kind: Any) -> Any:
        if kind is str:
            return self.chance.choice((*self.uris, "", "x = 1\n", "python", "é😀"))
        if kind in (int, float):
            return kind(self.chance.choice((0, 0, 1, 2, 3, 7, 1000)))
        if kind is bool:
            return self.chance.random() < 0.5
        return None if kind is type(None) else copy.deepcopy(self.chance.choice(ODD[:12]))


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy of a JSON value with some parts replaced, dropped, added or doubled."""
    if chance.random() < 0.1:
        return copy.deepcopy(chance.choice(ODD))
    if isinstance(value, dict):
        kept = {key: mutated(one, chance) for key, one in value.items() if chance.random() > 0.05}
        if chance.random() < 0.1:
            kept[chance.choice(("jsonrpc", "id", "method", "data"))] = chance.choice(ODD)
        return kept
    if isinstance(value, list):
        return [mutated(one, chance) for one in value] * chance.choice((1, 1, 1, 2))
    return value


def frame(body: bytes) -> bytes:
    """A body with its header."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def answer_to(body: bytes) -> object:
    """The id that the one response to a message must have, as JSON; `NOTHING` for none."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return "null"
    if not isinstance(message, dict):
        return "null"
    known = message.get("id")
    odd = isinstance(known, bool) or not isinstance(known, int | float | str)
    shown = "null" if odd else json.dumps(known)
    if isinstance(message.get("method"), str):
        return shown if "id" in message else NOTHING
    return NOTHING if "result" in message or "error" in message else shown


class Malformed:
    """An endless supply of messages with something wrong, and of some without."""

    def __init__(
        self,
        chance: random.Random,
        uris: Sequence[str],
        known: Sequence[str] = (),
        commands: Sequence[str] = (),
    ) -> None:
        """The methods in `known`, which the server has, come as often as all others together."""
        self.chance = chance
        self.uris = uris
        self.known = known
        self.commands = commands
        self._next_id = 0
        self._ways: list[Callable[[], Sent]] = [
            *[self._odd_params] * 8,
            *[self._odd_envelope] * 3,
            *[self._odd_bytes] * 3,
            *[self._odd_frame, self._cancel, self._odd_value, self._deep],
        ]

    def next(self) -> Sent:
        """One more."""
        return self.chance.choice(self._ways)()

    def _message(self) -> dict[str, Any]:
        """A message as it should be: a request, a notification, or one sent as the other."""
        known = self.known if self.chance.random() < 0.5 else ()
        method = self.chance.choice(known or list(methods()))
        message = {"jsonrpc": "2.0", "method": method, "params": self._params(method)}
        if methods()[method] != (self.chance.random() < 0.1):
            self._next_id += 1
            message["id"] = self.chance.choice((self._next_id, f"id {self._next_id}"))
        return message

    def _params(self, method: str) -> Any:
        if method == "workspace/executeCommand" and self.commands:
            return {"command": self.chance.choice(self.commands), "arguments": [self._argument()]}
        return params(method, self.chance, self.uris)

    def _argument(self) -> dict[str, Any]:
        """What commands are given, with an action that there is no proposal for."""
        place = {"line": self.chance.randrange(4), "character": 0}
        whole = {
            "uri": self.chance.choice(self.uris),
            "version": 1,
            "range": {"start": place, "end": place},
            "position": place,
            "task": self.chance.choice(("implement", "fix", "explain", "rewrite", "nonsense")),
            "proposal": "none",
            "name": "no such model",
            "id": "none",
            "length": 3,
        }
        return {key: value for key, value in whole.items() if self.chance.random() < 0.8}

    def _odd_params(self) -> Sent:
        message = self._message()
        if self.chance.random() < 0.8:
            message["params"] = mutated(message["params"], self.chance)
        if self.chance.random() < 0.05:
            del message["params"]
        return _sent(json.dumps(message).encode())

    def _odd_envelope(self) -> Sent:
        message = self._message()
        for key in ("jsonrpc", "id", "method"):
            if self.chance.random() < 0.3:
                message[key] = self.chance.choice(ODD)
            if self.chance.random() < 0.1:
                message.pop(key, None)
        return _sent(json.dumps(message).encode())

    def _odd_bytes(self) -> Sent:
        body = bytearray(json.dumps(self._message(), ensure_ascii=False).encode("utf-8", "replace"))
        for _ in range(self.chance.choice((1, 1, 3))):
            at = self.chance.randrange(len(body))
            match self.chance.randrange(4):
                case 0:
                    body[at] = self.chance.randrange(256)
                case 1:
                    body.insert(at, self.chance.choice(b'{}[]",:\\0\xff'))
                case 2:
                    del body[at : at + self.chance.choice((1, 1, 20))]
                case _:
                    del body[at:]
            if not body:
                break
        return _sent(bytes(body))

    def _odd_frame(self) -> Sent:
        """A length that is too small or too large; what follows can be framed again."""
        body = json.dumps(self._message()).encode()
        wrong = self.chance.choice((-1, -5, 1, 7))
        data = b"Content-Length: %d\r\n\r\n%s" % (len(body) + wrong, body)
        return Sent(data + b"x" * max(0, wrong) + b"\r\n\r\n", "null")

    def _cancel(self) -> Sent:
        message = {
            "jsonrpc": "2.0",
            "method": "$/cancelRequest",
            "params": {"id": self.chance.choice((self._next_id, f"id {self._next_id}", 10**9))},
        }
        return _sent(json.dumps(message).encode())

    def _odd_value(self) -> Sent:
        value = self.chance.choice(
            (*ODD, {"id": 3, "result": None}, {"id": 1, "error": 7}, [self._message()])
        )
        return _sent(json.dumps(value).encode())

    def _deep(self) -> Sent:
        depth = self.chance.choice((5, 50, 300, 100_000))
        if depth > 300:
            return _sent(b"[" * depth)
        message = json.dumps(self._message() | {"params": "DEEP"})
        inside = self.chance.choice((b"[", b'{"settings":', b'{"textDocument":'))
        closing = b"]" if inside == b"[" else b"}"
        return _sent(message.encode().replace(b'"DEEP"', inside * depth + b"1" + closing * depth))


def _sent(body: bytes) -> Sent:
    return Sent(frame(body), answer_to(body))
