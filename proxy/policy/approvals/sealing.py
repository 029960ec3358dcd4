"""How what waits for a person is kept: AES-256-GCM and HMAC-SHA256 under keys made of the body-key."""

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BODY_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class CannotOpen(Exception):
    """What was sealed was sealed under another body-key, or has been changed."""


class Sealer:
    """Seals bytes for one use, named by `about`: what was sealed for one thing does not open as another."""

    __slots__ = ("_cipher", "_digest_key")

    def __init__(self, body_key: bytes) -> None:
        if len(body_key) != BODY_KEY_BYTES:
            raise ValueError(f"a body-key has {BODY_KEY_BYTES} bytes; this one has {len(body_key)}")
        self._cipher = AESGCM(hmac.digest(body_key, b"flyball seal", "sha256"))
        self._digest_key = hmac.digest(body_key, b"flyball request digest", "sha256")

    def seal(self, about: str, plain: bytes) -> bytes:
        """The nonce and what only the body-key opens."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, about.encode())

    def open(self, about: str, sealed: bytes) -> bytes:
        """What was sealed.

        Raises:
            CannotOpen: under another key, for something else, or changed since.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
        except InvalidTag as error:
            raise CannotOpen(f"{about} was kept under another body-key") from error

    def digest(self, *parts: bytes) -> bytes:
        """32 bytes that stand for these parts; keyed, so that nobody can try out from the file what was said."""
        found = hmac.new(self._digest_key, digestmod="sha256")
        for part in parts:
            found.update(len(part).to_bytes(8, "big"))
            found.update(part)
        return found.digest()

    def __repr__(self) -> str:
        return "Sealer(***)"
