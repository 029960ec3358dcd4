"""Credentials that are made for each attempt: signatures and tokens that run out."""

from collections.abc import Sequence
from typing import Protocol

from proxy.upstream.headers import RawHeader


class Signer(Protocol):
    """Makes the headers that identify us to one provider; shared by all its attempts on one event loop."""

    async def sign(self, method: str, url: str, headers: Sequence[RawHeader], body: bytes) -> list[RawHeader]:
        """The headers to add to a request with this absolute URL, these headers and exactly this body.

        It waits only while there is no credential at all: one that is about to run out is renewed beside the calls.

        Raises:
            UpstreamFailed: none could be had; nothing was sent.
        """
        ...
