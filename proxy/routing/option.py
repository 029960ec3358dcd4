"""What a strategy knows: of each candidate, and of the call it ranks them for."""

from msgspec import Struct

from proxy.core.money import Nano
from proxy.routing.candidate import Candidate
from proxy.routing.health.look import UNSEEN, Look


class Option(Struct, frozen=True, kw_only=True):
    """A candidate as a strategy sees it.

    `cost` is what the call is expected to cost there, None without a price; `warm_cost` the same where the provider
    still has the conversation's beginning in its prompt cache, None where it has not. `look` is how it has been
    answering.
    """

    candidate: Candidate
    weight: int = 1
    cost: Nano | None = None
    warm_cost: Nano | None = None
    look: Look = UNSEEN


class Turn(Struct, frozen=True, kw_only=True):
    """The call that candidates are ranked for.

    `lot` is another for each call, `conversation` the same for all calls of one, empty where it is of none. `pinned`
    is who served it last. `fullness` is how full its tightest budget is, in millionths; `eases_from` where
    `budget_aware` begins.
    """

    lot: bytes
    conversation: bytes = b""
    pinned: Candidate | None = None
    output_tokens: int = 0
    fullness: int = 0
    eases_from: int = 500_000
