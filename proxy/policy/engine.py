"""The door every policy engine stands behind."""

from collections.abc import Mapping
from typing import Any, Protocol

from proxy.policy.decision import Decision
from proxy.policy.point import Point
from proxy.policy.reading import EVERYTHING, Reads


class PolicyEngine(Protocol):
    """Decides at the points of a call's journey, by one revision of the rules."""

    @property
    def kind(self) -> str:
        """What stands behind the door, as the rows of decisions name it: `embedded` or `opa`."""
        ...

    @property
    def revision(self) -> str:
        """Which rules decide."""
        ...

    @property
    def grant(self) -> Decision:
        """The plain yes that a known principal gets where no rule beyond the grant is loaded."""
        ...

    @property
    def away(self) -> str:
        """Why no decision is to be had now, as far as is known; empty when there is."""
        ...

    def is_live(self, point: Point) -> bool:
        """Whether any rule beyond the grant is loaded at this point; where there is none, the engine need not be asked:
        a known principal is granted every point."""
        ...

    def has_shadow(self, point: Point) -> bool:
        """Whether a shadow package is loaded for this point."""
        ...

    def reads(self, point: Point) -> Reads:
        """What the point's rules read of the input."""
        ...

    def shadow_reads(self, point: Point) -> Reads:
        """What the point's shadow rules read of the input."""
        ...

    async def decide(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """The decision on one fully populated input (policies/contract.json).

        Raises:
            PolicyUnavailable: no decision was had: nothing may pass.
        """
        ...

    async def shadow(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """What the shadow package would have decided; never enforced. Raises PolicyUnavailable."""
        ...

    async def knock(self) -> None:
        """Look whether an engine that is away is back; cheap enough for every second. Never raises."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


def asks_for(engine: PolicyEngine, *members: str) -> bool:
    """Whether rules at any point, those that are only tried among them, read one of these members of the input."""
    wanted = frozenset(members)
    live = [engine.reads(point) for point in Point if engine.is_live(point)]
    tried = [engine.shadow_reads(point) for point in Point if engine.has_shadow(point)]
    return any(_reads_any(reads, wanted) for reads in (*live, *tried))


def _reads_any(reads: Reads, members: frozenset[str]) -> bool:
    return EVERYTHING in reads.paths or any(path[0] in members for path in reads.paths)
