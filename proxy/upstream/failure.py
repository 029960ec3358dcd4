"""How reaching a provider can fail, in words that say what it means for the call."""

from typing import Literal, TypeAlias

FailureKind: TypeAlias = Literal[
    "connect_timeout",
    "first_byte_timeout",
    "idle_timeout",
    "total_timeout",
    "refused",
    "reset",
    "aborted",
    "dns",
    "forbidden_address",
    "credentials",
    "protocol",
    "credentials",
]


class UpstreamFailed(Exception):
    """An attempt that brought no whole answer.

    `sent` tells whether the provider may have acted on the request (and bill for it): once the first byte of it was
    handed to the connection it is True, whatever came after. The message never holds a header, a body or a key.
    """

    def __init__(self, kind: FailureKind, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.sent = sent
