"""An answer whose beginning was read before it is known whether it is the one that its client gets."""

from collections import deque

from proxy.journey.call import Headers
from proxy.upstream import UpstreamFailed, UpstreamResponse


class Begun:
    """An UpstreamResponse over another: what was read of that is kept, and handed out again, as it came."""

    def __init__(self, inner: UpstreamResponse) -> None:
        self.size = 0
        self._inner = inner
        self._kept: deque[bytes] = deque()
        self._over = False
        self._failure: UpstreamFailed | None = None

    @property
    def status(self) -> int:
        """See UpstreamResponse."""
        return self._inner.status

    @property
    def headers(self) -> Headers:
        """See UpstreamResponse."""
        return self._inner.headers

    @property
    def kept(self) -> bytes:
        """What was read so far."""
        return b"".join(self._kept)

    async def read(self) -> bytes | None:
        """The next bytes, which are kept; None at the end. Raises UpstreamFailed."""
        try:
            chunk = await self._inner.chunk()
        except UpstreamFailed as failure:
            self._failure = failure
            raise
        if chunk is None:
            self._over = True
        else:
            self._kept.append(chunk)
            self.size += len(chunk)
        return chunk

    async def chunk(self) -> bytes | None:
        """See UpstreamResponse."""
        if self._kept:
            return self._kept.popleft()
        if self._failure is not None:
            raise self._failure
        return None if self._over else await self._inner.chunk()

    def abort(self) -> None:
        """See UpstreamResponse."""
        if self._kept:
            self._kept.clear()
            self._failure = UpstreamFailed("aborted", "the attempt was aborted by us", sent=True)
        self._inner.abort()

    async def close(self) -> None:
        """See UpstreamResponse."""
        self.abort()
