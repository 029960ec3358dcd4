"""An engine that decides, and beside it policies that wait to be promoted and are only tried."""

from collections.abc import Mapping
from typing import Any, Final

from proxy.policy.decision import Decision
from proxy.policy.engine import PolicyEngine
from proxy.policy.point import Point
from proxy.policy.reading import Reads
from proxy.policy.rego import EmbeddedRego


class Shadowed:
    """Decides by `live`; its shadow decisions are those of `candidate`, in the place of live's own shadow packages."""

    def __init__(self, live: EmbeddedRego, candidate: EmbeddedRego) -> None:
        self.live: Final = live
        self.candidate: Final = candidate

    @property
    def kind(self) -> str:
        """As the one that decides."""
        return self.live.kind

    @property
    def revision(self) -> str:
        """Of the one that decides."""
        return self.live.revision

    @property
    def grant(self) -> Decision:
        """Of the one that decides."""
        return self.live.grant

    @property
    def away(self) -> str:
        """As the one that decides."""
        return self.live.away

    def is_live(self, point: Point) -> bool:
        """As the one that decides."""
        return self.live.is_live(point)

    def has_shadow(self, point: Point) -> bool:
        """Whether either of the two has a rule there: then they may differ."""
        return self.candidate.is_live(point) or self.live.is_live(point)

    def reads(self, point: Point) -> Reads:
        """What the one that decides reads."""
        return self.live.reads(point)

    def shadow_reads(self, point: Point) -> Reads:
        """What the candidate reads."""
        return self.candidate.reads(point)

    async def decide(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """The decision that counts; raises PolicyUnavailable."""
        return await self.live.decide(point, facts)

    async def shadow(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """What the candidate would have decided; raises PolicyUnavailable."""
        return await self.candidate.decide(point, facts)

    async def knock(self) -> None:
        """Nothing to look at."""

    async def close(self) -> None:
        """Nothing to let go of."""


_: type[PolicyEngine] = Shadowed
