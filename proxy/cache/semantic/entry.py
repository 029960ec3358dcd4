"""What is kept of a question and its answer, and how: AES-256-GCM under a key made of the body-key."""

import hmac
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NONCE_BYTES: Final = 12


class SemanticEntry(Struct, frozen=True, kw_only=True, array_like=True):
    """One question that was answered.

    `operation` is that of the call whose answer it is; moments are nanoseconds since 1970. `said` is the answer's
    text, by which it is compared with others; `key` is what the exact cache keeps the whole answer under, if it does.
    """

    org: str
    route: str
    text: str
    operation: str
    made_ns: int
    until_ns: int
    said: str = ""
    key: bytes = b""
    cost_nano: int = -1
    revision: str = ""
    model: str = ""
    tags: dict[str, str] = {}


class SemanticAlike(NamedTuple):
    """A kept entry that asks the same, its id, and how alike it is, from 0 to 1."""

    id: int
    entry: SemanticEntry
    similarity: float


class SemanticSight(NamedTuple):
    """A text's vector, and what was found for it."""

    vector: "NDArray[np.float32]"
    alike: SemanticAlike | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SemanticEntry).decode


class CannotOpen(Exception):
    """What was found is another partition's, was sealed under another body-key, or has been changed."""


class EntrySeal:
    """Seals entries; what was sealed for one partition opens for no other, whatever a store hands out."""

    __slots__ = ("_cipher",)

    def __init__(self, body_key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(body_key, b"flyball semantic cache", "sha256"))

    def seal(self, partition: bytes, entry: SemanticEntry) -> bytes:
        """The nonce and what only the body-key opens."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, _encode(entry), partition)

    def open(self, partition: bytes, sealed: bytes) -> SemanticEntry:
        """The entry.

        Raises:
            CannotOpen: it is not one of this partition.
        """
        try:
            return _decode(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], partition))
        except (InvalidTag, ValueError, msgspec.DecodeError) as error:
            raise CannotOpen("not an entry of this partition") from error

    def __repr__(self) -> str:
        return "EntrySeal(***)"
