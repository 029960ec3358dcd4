"""The starter grant: a principal whose key we know may call (policies/flyball/base.rego says the same)."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from proxy.core.tenant import Principal

Point: TypeAlias = Literal["request", "route"]
REVISION: Final = "starter-grant"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided at one point, and by which revision of the rules."""

    allow: bool
    revision: str
    code: str = ""
    message: str = ""


class PolicyEngine(Protocol):
    """Decides at the points of a call's journey."""

    def decides(self, point: Point) -> bool:
        """Whether any rule beyond the grant is loaded at this point."""
        ...

    def decide(self, point: Point, principal: Principal, model: str) -> Decision:
        """Whether the call may go on."""
        ...


class StarterGrant:
    """Allows every principal with an organisation, a team and a key: no rule beyond the grant is loaded."""

    _allowed = Decision(True, REVISION)
    _denied = Decision(False, REVISION, "unknown_principal", "No policy grants this principal anything.")

    def decides(self, point: Point) -> bool:
        """Never: there is no rule beyond the grant."""
        return False

    def decide(self, point: Point, principal: Principal, model: str) -> Decision:
        """Allow a known principal at both points; anything else is denied."""
        known = principal.org and principal.team and principal.key_id
        return self._allowed if known else self._denied


_: type[PolicyEngine] = StarterGrant
