"""Damages bytes and JSON in ways that parsers fall over: a seed tells every case, and many a millisecond are made.

Hypothesis draws a case in about as long as a hundred of these take; what it finds and shrinks well stands in the tests
beside this folder.
"""

import json
from copy import deepcopy
from random import Random
from typing import Any, Final

from proxy.wire.eventstream import FrameSplitter, event_frame, read_frame

_BITS: Final = (
    b"null", b"true", b"[]", b"{}", b'""', b"-1", b"1e999", b"0.5", b"9" * 30, b'"', b"\\", b"\\ud800", b"\\u0000",
    b"\xff", b"\xed\xa0\x80", b"\x00", b"\r", b"\n", b"\n\n", b"\r\n\r\n", b"data:", b"data: [DONE]\n\n",
    b"event: error\n", b":", b",", b"[" * 40, b"{" * 8, b"]", b"}", b" ", b'"type":', b'"usage":null,', b"--X\r\n",
)  # fmt: skip
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 2**31, 2**63, 10**40, 0.5, "", "x", "\U0001f600", "\u2028", [], [None], {},
    {"type": None}, [[[[]]]], {"a": {"b": {"c": [1]}}}, "tool_use", "function", "error", ["text"], [{"text": 1}],
)  # fmt: skip
_KEYS: Final = (
    "type",
    "model",
    "usage",
    "text",
    "content",
    "x",
    "",
    "\u0000",
    "index",
    "id",
    "input",
    "stream",
    "name",
)


def damaged(rng: Random, body: bytes) -> bytes:
    """The bytes with one to three places changed, cut, doubled or moved."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(body))
        to = min(len(body), at + rng.choice((0, 1, 2, 8, 60)))
        kind = rng.randrange(6)
        if kind == 0:
            body = body[:at] + rng.choice(_BITS) + body[to:]
        elif kind == 1:
            body = body[:at] + rng.randbytes(rng.randint(1, 4)) + body[at:]
        elif kind == 2:
            body = body[:at] + body[to:]
        elif kind == 3:
            body = body[:to] + body[at:]
        elif kind == 4:
            body = body[:at]
        else:
            body = body[to:] + body[at:to] + body[:at]
    return body


def grown(rng: Random, value: Any, changes: int = 2) -> Any:
    """The JSON value, changed: with other values in some places, and members that nobody knows at any depth."""
    for _ in range(changes):
        node = value
        while isinstance(node, dict | list) and node and rng.random() < 0.75:
            below = node[rng.choice(list(node))] if isinstance(node, dict) else rng.choice(node)
            if not isinstance(below, dict | list):
                break
            node = below
        if isinstance(node, dict):
            known = rng.choice(list(node)) if node and rng.random() < 0.5 else rng.choice(_KEYS)
            node[known] = deepcopy(rng.choice(_VALUES))
        elif isinstance(node, list):
            node.insert(rng.randint(0, len(node)), deepcopy(rng.choice(_VALUES)))
    return value


def with_strangers(rng: Random, value: Any) -> Any:
    """The JSON value, changed: with members beside the known ones in a few of its objects, at whatever depth."""
    objects: list[dict[str, Any]] = []
    queue = [value]
    while queue:
        node = queue.pop()
        if isinstance(node, dict):
            objects.append(node)
        queue += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for place in rng.sample(objects, min(3, len(objects))):
        place[f"x_unknown_{rng.randrange(100)}"] = deepcopy(rng.choice(_VALUES))
    return value


def bent(rng: Random, body: bytes) -> bytes:
    """A JSON body, damaged in its bytes or in its values."""
    if rng.random() < 0.4:
        return damaged(rng, body)
    return json.dumps(grown(rng, json.loads(body), rng.randint(1, 4)), indent=rng.choice((None, None, 1))).encode()


def bent_stream(rng: Random, stream: bytes) -> bytes:
    """A stream with damage in its bytes, or in the values of one of its events."""
    if rng.random() < 0.4:
        return damaged(rng, stream)
    if stream.startswith(b"["):
        return bent(rng, stream)
    if stream.startswith(b"{"):
        lines = stream.split(b"\n")
        at = rng.randrange(len(lines) - 1)
        return b"\n".join(
            [*lines[:at], bent(rng, lines[at]).replace(b"\n", rng.choice((b"", b"\n"))), *lines[at + 1 :]]
        )
    return _bent_frames(rng, stream) if stream[:1] == b"\x00" else _bent_events(rng, stream)


def _bent_events(rng: Random, stream: bytes) -> bytes:
    lines = stream.split(b"\n")
    places = [at for at, line in enumerate(lines) if line.startswith(b"data: {")]
    at = rng.choice(places)
    lines[at] = b"data: " + bent(rng, lines[at][6:])
    if rng.random() < 0.3:
        other = rng.choice(places)
        lines[at], lines[other] = lines[other], lines[at]
    return rng.choice((b"\n", b"\n", b"\r\n", b"\r")).join(lines)


def _bent_frames(rng: Random, stream: bytes) -> bytes:
    frames = FrameSplitter().feed(stream)
    at = rng.randrange(len(frames))
    frame = read_frame(frames[at])
    assert frame is not None
    name = rng.choice((frame.event, frame.event, "messageStop", "metadata", "chunk", ""))
    frames[at] = event_frame(name, bent(rng, frame.payload))
    return b"".join(frames)


def parts(rng: Random, stream: bytes) -> list[bytes]:
    """A stream in up to six parts."""
    ends = sorted(rng.randint(0, len(stream)) for _ in range(rng.randint(0, 5)))
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]
