"""No rules at all: for calls that have been decided on already, or whose answers no client gets."""

from collections.abc import Mapping
from typing import Any, Final

from proxy.policy.decision import Decision
from proxy.policy.engine import PolicyEngine
from proxy.policy.point import Point
from proxy.policy.reading import Reads

_NOTHING: Final = Reads(live=False, volatile=False, paths=frozenset())


class Unruled:
    """Grants every point and is asked at none."""

    kind: Final = "none"
    revision: Final = ""
    grant: Final = Decision(allow=True, revision="")
    away: Final = ""

    def is_live(self, point: Point) -> bool:
        """At no point."""
        return False

    def has_shadow(self, point: Point) -> bool:
        """At no point."""
        return False

    def reads(self, point: Point) -> Reads:
        """Nothing."""
        return _NOTHING

    def shadow_reads(self, point: Point) -> Reads:
        """Nothing."""
        return _NOTHING

    async def decide(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """The grant."""
        return self.grant

    async def shadow(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """The grant."""
        return self.grant

    async def knock(self) -> None:
        """Nothing to look at."""

    async def close(self) -> None:
        """Nothing to let go of."""


UNRULED: Final[PolicyEngine] = Unruled()
