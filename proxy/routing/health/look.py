"""What is known of a target at this moment, for whoever chooses among several."""

from typing import Final

from msgspec import Struct


class Look(Struct, frozen=True):
    """Whether a target should be asked now, and how it has been answering.

    One that is not `ready` and has no `wait_s` may still be asked where no other is ready. `ttft_ms` and `tokens_per_s`
    are decayed means, None where nothing was seen for some minutes. `headroom` is what is left of the provider's rate
    limits, from 0 to 1; 1 where they were not told.
    """

    ready: bool = True
    why: str = ""
    wait_s: float = 0.0
    ttft_ms: float | None = None
    tokens_per_s: float | None = None
    busy: int = 0
    headroom: float = 1.0


UNSEEN: Final = Look()
