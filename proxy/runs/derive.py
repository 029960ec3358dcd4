"""A name for the run of a call that names none: made from how its conversation begins, which its history keeps."""

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.wire.endpoint import Endpoint

DERIVED: Final = "derived"
"""The `run_source` of a run that no client named."""


class _Body(Struct, gc=False):
    messages: Raw = Raw(b"")
    instructions: Raw = Raw(b"")
    input: Raw = Raw(b"")
    contents: Raw = Raw(b"")
    systemInstruction: Raw = Raw(b"")
    system_instruction: Raw = Raw(b"")


class _Message(Struct, gc=False):
    role: str = ""


_GEMINI: Final = frozenset({Endpoint.GENERATE_CONTENT, Endpoint.GENERATE_CONTENT_LIST})
_BODY: Final = msgspec.json.Decoder(_Body)
_LIST: Final = msgspec.json.Decoder(list[Raw])
_MESSAGE: Final = msgspec.json.Decoder(_Message)


def derived_run(endpoint: Endpoint, body: bytes, key_id: str) -> str:
    """`derived-` and 24 digits, the same for every call of a key whose conversation begins alike; "" without one.

    What it begins with are the bytes of the instructions and of all messages up to the first one of a user. The
    model is not among them: an agent may ask several. 1 µs for a short body, 10 µs for 40 kB (docs/runs.md).
    """
    try:
        opening = _opening(endpoint, body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    if not opening:
        return ""
    digest = blake2b(key_id.encode(), digest_size=12)
    for part in opening:
        digest.update(b"\x00")
        digest.update(part)
    return f"derived-{digest.hexdigest()}"


def _opening(endpoint: Endpoint, body: bytes) -> list[bytes | Raw]:
    found = _BODY.decode(body)
    if endpoint is Endpoint.CHAT:
        return _until_user(found.messages)
    if endpoint is Endpoint.RESPONSES:
        given = _until_user(found.input)
        return [found.instructions, *given] if given else []
    if endpoint in _GEMINI:
        given = _until_user(found.contents, "user")
        return [found.systemInstruction or found.system_instruction, *given] if given else []
    return []  # a completion's or an embedding's text is no conversation: each is a call by itself


def _until_user(messages: Raw, default: str = "") -> list[bytes | Raw]:
    """The messages up to the first one of a user; a text is one; nothing where no user speaks. `default`: who speaks
    where a message does not say."""
    kind = bytes(memoryview(messages)[:1])
    if kind != b"[":
        return [messages] if kind == b'"' else []
    opening: list[bytes | Raw] = []
    for message in _LIST.decode(messages):
        opening.append(message)
        if (_MESSAGE.decode(message).role or default) == "user":
            return opening
    return []
