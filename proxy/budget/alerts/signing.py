"""Signatures after the Standard Webhooks specification (standardwebhooks.com), scheme v1: HMAC-SHA256."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

_PREFIX: Final = "whsec_"
_LEAST, _MOST = 24, 64
_MOST_SIGNATURES: Final = 16


def signing_keys(text: str) -> tuple[bytes, ...]:
    """The keys that a secret stands for: one, or several with spaces between them.

    Raises:
        ValueError: not base64, or a key that is not 24 to 64 bytes long; the text is not repeated.
    """
    return tuple(_key(each) for each in text.split())


def signed(keys: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> str:
    """The value of the header `webhook-signature`: one signature a key."""
    content = f"{message_id}.{at_s}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}" for key in keys)


def is_signed(keys: Sequence[bytes], message_id: str, at_s: int, body: bytes, signatures: str) -> bool:
    """Whether one of the signatures in a header's value is of one of the keys; compared in constant time."""
    good = [each.encode() for each in signed(keys, message_id, at_s, body).split()]
    given = [each.encode() for each in signatures.split()[:_MOST_SIGNATURES]]
    return any([hmac.compare_digest(one, other) for one in good for other in given])


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        raise ValueError(f"a signing secret is {_PREFIX} and {_LEAST} to {_MOST} random bytes in base64")
    return key
