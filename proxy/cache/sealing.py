"""How answers are kept: AES-256-GCM under a key made of the body-key, each for one request's key only."""

import hmac
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.cache.answer import CachedAnswer

_NONCE_BYTES: Final = 12
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CachedAnswer).decode


class Unreadable(Exception):
    """What was kept is another request's, was kept under another body-key, or has been changed."""


class AnswerSeal:
    """Seals answers; one that was sealed for a request opens for no other, whatever a store hands out."""

    __slots__ = ("_cipher",)

    def __init__(self, body_key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(body_key, b"flyball cached answers", "sha256"))

    def seal(self, answer: CachedAnswer) -> bytes:
        """The nonce and what only the body-key opens."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, _encode(answer), answer.key)

    def open(self, key: bytes, sealed: bytes) -> CachedAnswer:
        """The answer to the request of this key.

        Raises:
            Unreadable: it is not one that was sealed here for that request.
        """
        try:
            answer = _decode(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key))
        except (InvalidTag, ValueError, msgspec.DecodeError) as error:
            raise Unreadable("not an answer to this request") from error
        if answer.key != key:
            raise Unreadable("an answer to another request")
        return answer

    def __repr__(self) -> str:
        return "AnswerSeal(***)"
