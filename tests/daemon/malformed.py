"""HTTP requests that are wrong, each in its own way, from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ROUTES = ("/v1/chat/completions", "/v1/completions", "/completion", "/infill")
ROUTES += ("/tokenize", "/detokenize")
GOOD: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}],
    "prompt": "A",
    "input_prefix": "a",
    "input_suffix": "b",
    "content": "x",
    "tokens": [1],
    "max_tokens": 1,
}
NAMES = """messages prompt suffix input_prefix input_suffix input_extra filename repository stop
forced temperature top_k top_p min_p seed repeat_penalty frequency_penalty presence_penalty
repeat_last_n max_tokens stream stream_options return_progress model n best_of echo logprobs
top_logprobs n_probs grammar json_schema response_format tools functions reasoning_budget
reasoning_format priority source user lookup t_max_predict_ms content tokens add_special
parse_special with_pieces"""
FIELDS = NAMES.split()
HUGE = ["9" * 400, "-" + "9" * 400, "1e400", "-1e999", "9" * 5000, "1" + "0" * 18, "-" + "9" * 19]
HUGE += ["4294967296", "2147483648", "NaN", "Infinity", "-Infinity", "1e-999", "0.1e1000"]
ODD = ["null", "true", "false", '""', '"\\u0000"', '"\\ud800"', "[]", "{}", "-1", "0", "1.5", '"x"']
ODD += ["[[[]]]", '{"a":{"b":[1]}}', '["a", 1, null]', '"' + "x" * 5000 + '"', "[" * 60 + "]" * 60]


@dataclass(frozen=True)
class Case:
    """What to send."""

    kind: str
    data: bytes
    may_be_good: bool = False
    """An answer without an error is right, too."""
    cut: bool = False
    """It is not whole: the answer comes when the client says that no more follows."""


def case(seed: int) -> Case:
    """The case of a seed."""
    chance = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    data, may_be_good = kind(chance)
    return Case(kind.__name__, data, may_be_good, kind in (cut_off, cut_chunks))


def post(
    path: str, body: bytes, *more: bytes, kind: bytes = b"application/json", close: bool = True
) -> bytes:
    """A request with a body; the connection is closed after its answer."""
    lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: d", b"Content-Type: " + kind]
    lines += [b"Content-Length: %d" % len(body), *([b"Connection: close"] if close else []), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def good(**fields: Any) -> bytes:
    """The body of a request that can be answered, but for `fields`."""
    return json.dumps(GOOD | fields).encode()


def wrong_type(chance: random.Random) -> tuple[bytes, bool]:
    body = _with(chance.choice(FIELDS), chance.choice(ODD))
    return post(chance.choice(ROUTES), body), True


def huge_number(chance: random.Random) -> tuple[bytes, bool]:
    return post(chance.choice(ROUTES), _with(chance.choice(FIELDS), chance.choice(HUGE))), True


def deep_nesting(chance: random.Random) -> tuple[bytes, bool]:
    depth = chance.choice([500, 950, 990, 1000, 2000, 100_000])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
    body = _with(chance.choice([*FIELDS, "unknown"]), opening * depth + "1" + closing * depth)
    return post(chance.choice(ROUTES), body), True


def no_json(chance: random.Random) -> tuple[bytes, bool]:
    body = bytearray(good())
    for _ in range(chance.randint(1, 4)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return post(chance.choice(ROUTES), bytes(body)), True


def no_text(chance: random.Random) -> tuple[bytes, bool]:
    wrong = chance.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80" * 9])
    return post(chance.choice(ROUTES), b'{"prompt": "' + wrong + b'"}'), False


def other_json(chance: random.Random) -> tuple[bytes, bool]:
    bodies = [b"", b"[]", b"1", b'"x"', b"null", b"{", b"\x00", b"{}{}", b"[" * 10_000]
    bodies += ['{"prompt": "x"}'.encode("utf-16"), b"\xef\xbb\xbf{}"]
    return post("/v1/completions", chance.choice(bodies)), False


def cut_off(chance: random.Random) -> tuple[bytes, bool]:
    whole = post(chance.choice(ROUTES), good())
    return whole[: chance.randrange(1, len(whole))], False


def wrong_length(chance: random.Random) -> tuple[bytes, bool]:
    lengths = [b"-1", b"x", b"", b"1, 2", b"0x10", b"9" * 30, b"99999999", b"1e3", b"+5", b" "]
    head = b"POST /v1/completions HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: " + chance.choice(lengths) + b"\r\n\r\n" + good(), False


_CHUNKED = b"POST /v1/completions HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
_CHUNKED += b"Connection: close\r\nTransfer-Encoding: %s\r\n\r\n"


def chunked_nonsense(chance: random.Random) -> tuple[bytes, bool]:
    bodies = [b"zz\r\nx\r\n", b"-1\r\n\r\n", b"f" * 21 + b"\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n"]
    bodies += [b"\r\n\r\n", b"3\r\n\xff\xff\xff\r\n0\r\n\r\n"]
    bodies += [b"0\r\n\r\n", b"0\r\nX y\r\n\r\n"]
    coding = chance.choice([b"chunked", b"chunked", b"chunked, chunked", b"gzip, chunked", b"no"])
    return _CHUNKED % coding + chance.choice(bodies), False


def cut_chunks(chance: random.Random) -> tuple[bytes, bool]:
    whole = _CHUNKED % b"chunked" + b'5\r\n{"pro\r\n4\r\nmpt"\r\n5\r\n: 3}}\r\n0\r\n\r\n'
    return whole[: chance.randrange(1, len(whole))], False


def two_lengths(chance: random.Random) -> tuple[bytes, bool]:
    more = chance.choice([b"Content-Length: 3", b"Transfer-Encoding: chunked"])
    return post("/v1/completions", good(), more), False


_HEALTH = b"GET /health HTTP/1.1\r\nHost: d\r\nConnection: close\r\n"


def broken_head(chance: random.Random) -> tuple[bytes, bool]:
    heads = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/9.9\r\nConnection: close\r\nHost: d\r\n\r\n",
        b"GET /health\r\nHost: d\r\n\r\n",
        b"GET  /health HTTP/1.1\r\nHost: d\r\n\r\n",
        b"G\x00T /health HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: d\r\nHost: e\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost d\r\n\r\n",
        b"GET /health HTTP/1.1\r\n Host: d\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: d\r\nX: \x00\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET " + b"/a" * 20_000 + b" HTTP/1.1\r\nConnection: close\r\nHost: d\r\n\r\n",
        _HEALTH + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        _HEALTH + b"X: y\r\n" * 10_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 30_000,
        bytes(chance.randrange(256) for _ in range(200)) + b"\r\n\r\n",
    ]
    return chance.choice(heads), False


def wrong_route(chance: random.Random) -> tuple[bytes, bool]:
    method = chance.choice([b"GET", b"PUT", b"PATCH", b"OPTIONS", b"TRACE", b"BREW", b"CONNECT"])
    paths = [b"/nothing", b"/v1/chat/completions", b"/infill/", b"//", b"/%00%ff", b"/../etc", b"*"]
    paths += [b"/v1/requests/x", b"/health/", b"http://a/health/"]
    return method + b" " + chance.choice(
        paths
    ) + b" HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", False


def not_for_pages(chance: random.Random) -> tuple[bytes, bool]:
    if chance.random() < 0.5:
        origin = chance.choice([b"null", b"http://localhost", b"https://evil.example", b""])
        return post(chance.choice(ROUTES), good(), b"Origin: " + origin), False
    kinds = [b"text/plain", b"", b"multipart/form-data", b"application/jsonx", b"\xff"]
    return post(chance.choice(ROUTES), good(), kind=chance.choice(kinds)), False


def wrong_id(chance: random.Random) -> tuple[bytes, bool]:
    ids = [b"x" * 129, b"a b", b"\xff\xfe", b"a/b", b"../x", b"\xe2\x82\xac", b"<b>"]
    return post("/v1/completions", good(), b"X-Request-Id: " + chance.choice(ids)), False


def nothing_more_follows(chance: random.Random) -> tuple[bytes, bool]:
    """A good request, and garbage behind it in the same breath."""
    garbage = bytes(chance.randrange(256) for _ in range(chance.randint(1, 300)))
    return post("/v1/completions", good(), close=False) + garbage + b"\r\n\r\n", False


def too_many_at_once(chance: random.Random) -> tuple[bytes, bool]:
    requests = [post("/tokenize", good(), close=False) for _ in range(chance.randint(2, 8))]
    return b"".join(requests) + post("/tokenize", b"{"), False


KINDS: list[Callable[[random.Random], tuple[bytes, bool]]] = [
    wrong_type,
    huge_number,
    deep_nesting,
    no_json,
    no_text,
    other_json,
    cut_off,
    wrong_length,
    chunked_nonsense,
    cut_chunks,
    two_lengths,
    broken_head,
    wrong_route,
    not_for_pages,
    wrong_id,
    nothing_more_follows,
    too_many_at_once,
]


def _with(field: str, text: str) -> bytes:
    """A good body with one field as this text."""
    rest = json.dumps({name: value for name, value in GOOD.items() if name != field})
    return f'{rest[:-1]}, "{field}": {text}}}'.encode("utf-8", "surrogatepass")
