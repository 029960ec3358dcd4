"""How one attempt at a target ended, as far as that says something of the target."""

from typing import Literal, TypeAlias

from msgspec import Struct

EndKind: TypeAlias = Literal["ok", "cancelled", "fault", "slow", "limited", "ours"]
"""`fault`: the target's own; `slow`: given up for its slowness; `limited`: it asked to be left alone (429);
`cancelled`: nobody waited any longer; `ours`: the caller's mistake or ours (a prompt too long, a filter, a 400)."""


class Headroom(Struct, frozen=True):
    """What is left of a provider's rate limits: a share of the tightest one, until it is full again."""

    left: float
    for_s: float


class Ended(Struct, frozen=True):
    """One attempt's end. `reached` is False where no connection came about: that is held against the provider.

    `ttft_ms` runs from the attempt's start to its first output, `took_ms` to its end.
    """

    kind: EndKind
    ttft_ms: float | None = None
    output_tokens: int | None = None
    took_ms: float = 0.0
    retry_after_s: float | None = None
    headroom: Headroom | None = None
    reached: bool = True
