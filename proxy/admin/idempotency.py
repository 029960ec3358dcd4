"""The same answer to a repeated POST, without keeping the secret that was in it.

A kept answer has null where the secret stood. The secret of a key or token made under an Idempotency-Key is not random
text but HMAC-SHA256(hash-key, nonce ‖ SHA-256(bearer token) ‖ Idempotency-Key): the nonce is random and kept with the
answer, the other two are not kept anywhere, so only who repeats the request with the same token gets the secret again.
"""

import hmac
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from proxy.admin.faults import Fault, Refusal
from proxy.admin.tables import Tables
from proxy.core.clock import Clock
from proxy.core.secret import Secret

KEPT_FOR_NS: Final = 24 * 3600 * 1_000_000_000
GIVEN_UP_AFTER_NS: Final = 60 * 1_000_000_000
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Asking:
    """A POST that may be repeated: who asks, under which Idempotency-Key, for what."""

    token: Secret
    key: bytes
    request: bytes

    def __repr__(self) -> str:
        return "Asking(***)"


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that is answered for the first time."""

    digest: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    status: int
    body: bytes


class Answers:
    """Answers to POSTs with an Idempotency-Key, for a day."""

    def __init__(self, tables: Tables, hash_key: bytes, clock: Clock) -> None:
        self._tables = tables
        self._hash_key = hash_key
        self._clock = clock

    def begin(self, asking: Asking) -> Begun | Kept:
        """Take the place for an answer, or find the one given before.

        Raises:
            Refusal: IDEMPOTENCY_KEY_REUSED for another request, IDEMPOTENCY_IN_PROGRESS while it is being answered.
        """
        now_ns = self._clock.now_ns()
        begun = Begun(
            self._digest(b"key", asking.token.reveal().encode(), asking.key), secrets.token_bytes(_NONCE_BYTES)
        )
        request = self._digest(b"request", asking.request)
        with self._tables.write() as connection:
            connection.execute(
                "DELETE FROM admin_answers WHERE at_ns < ? OR (status IS NULL AND at_ns < ?)",
                (now_ns - KEPT_FOR_NS, now_ns - GIVEN_UP_AFTER_NS),
            )
            row = connection.execute(
                "SELECT request, nonce, mark, status, body FROM admin_answers WHERE digest = ?", (begun.digest,)
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO admin_answers (digest, request, nonce, at_ns) VALUES (?, ?, ?, ?)",
                    (begun.digest, request, begun.nonce, now_ns),
                )
                return begun
        return self._kept(asking, request, row)

    def keep(self, begun: Begun, status: int, body: bytes, mark: str | None) -> None:
        """Keep an answer whose secret, if `mark` says there is one, has been blanked."""
        with self._tables.write() as connection:
            connection.execute(
                "UPDATE admin_answers SET status = ?, body = ?, mark = ? WHERE digest = ?",
                (status, body, mark, begun.digest),
            )

    def forget(self, begun: Begun) -> None:
        """Give the place back: nothing was done, the same request may be tried again."""
        with self._tables.write() as connection:
            connection.execute("DELETE FROM admin_answers WHERE digest = ?", (begun.digest,))

    def secret(self, asking: Asking, nonce: bytes, mark: str) -> Secret:
        """The secret that belongs to this request: the mark, then 43 characters that say 256 bits."""
        token = sha256(asking.token.reveal().encode()).digest()
        bits = self._digest(b"secret", nonce, token, asking.key)
        return Secret(mark + urlsafe_b64encode(bits).decode("ascii").rstrip("="))

    def _kept(self, asking: Asking, request: bytes, row: sqlite3.Row) -> Kept:
        asked, nonce, mark, status, body = row
        if not hmac.compare_digest(asked, request):
            raise Refusal(
                Fault.IDEMPOTENCY_KEY_REUSED,
                "This Idempotency-Key was used for another request.",
                param="idempotency-key",
            )
        if status is None:
            raise Refusal(
                Fault.IDEMPOTENCY_IN_PROGRESS,
                "The first request with this Idempotency-Key is still being answered; try again in a moment.",
                param="idempotency-key",
            )
        if mark is None:
            return Kept(status, body)
        answer: dict[str, Any] = msgspec.json.decode(body)
        return Kept(status, msgspec.json.encode(answer | {"secret": self.secret(asking, nonce, mark).reveal()}))

    def _digest(self, purpose: bytes, *parts: bytes) -> bytes:
        # Each part is hashed first: their lengths cannot be shifted against each other.
        message = b"flyball admin " + purpose + b"".join(sha256(part).digest() for part in parts)
        return hmac.digest(self._hash_key, message, "sha256")
