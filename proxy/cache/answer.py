"""An answer that is kept, and what must be known of it to give it again."""

from typing import Any

from msgspec import Struct


class CachedAnswer(Struct, frozen=True, kw_only=True, array_like=True):
    """One whole answer as its client got it, and whose it is.

    `key` is what its request is known by, `entry` the id of the operation that made it. Moments are nanoseconds since
    1970, `cost_nano` what it cost when it was made, -1 where nobody knew. `told` is what rules on answers are told.
    """

    org: str
    key: bytes
    entry: str
    made_ns: int
    until_ns: int
    provider: str
    sent_model: str
    model: str
    body: bytes
    content_type: str
    streamed: bool
    finish_reason: str = ""
    cost_nano: int = -1
    revision: str = ""
    tags: dict[str, str] = {}
    told: dict[str, Any] = {}

    def age_s(self, now_ns: int) -> int:
        """How many whole seconds ago it was made."""
        return max(0, now_ns - self.made_ns) // 1_000_000_000
