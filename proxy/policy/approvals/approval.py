"""What an approval is: one call that waits for a person's yes or no."""

from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from proxy.core.money import Nano
from proxy.policy.point import Point

ApprovalState: TypeAlias = Literal["pending", "approved", "denied", "expired", "used"]
WITHDRAWN: Final = "its answer did not come whole"


class AskedCall(Struct, frozen=True, array_like=True):
    """A tool call that a person is to decide on, as the model wrote it."""

    name: str
    arguments: str


class ParkedAnswer(Struct, frozen=True, array_like=True):
    """An answer that waits for its call to be approved: the bytes that the client would have got, and what rules are
    told of a finished answer."""

    status: int
    content_type: str
    streamed: bool
    body: bytes
    told: dict[str, Any] = {}


class ApprovalRequest(Struct, frozen=True, kw_only=True):
    """A call for which a policy wants a person's yes. Times are nanoseconds since 1970, `estimate` nano-dollars."""

    digest: bytes
    point: Point
    org: str
    team: str
    key_id: str
    key_name: str
    owner: str
    run: str
    agent: str
    end_user: str
    endpoint: str
    model: str
    operation: str
    revision: str
    reason: str
    estimate: Nano
    made_ns: int
    expires_ns: int


class Approval(Struct, frozen=True, kw_only=True):
    """An approval as it is kept. `parked` are the bytes of the answer that waits with it; `used_by` is an operation."""

    id: str
    point: str
    org: str
    team: str
    key_id: str
    key_name: str
    owner: str
    run: str
    agent: str
    end_user: str
    endpoint: str
    model: str
    operation: str
    revision: str
    reason: str
    estimate: int
    tools: tuple[str, ...]
    made_ns: int
    expires_ns: int
    state: ApprovalState
    decided_by: str = ""
    decided_ns: int | None = None
    note: str = ""
    used_by: str = ""
    used_ns: int | None = None
    parked: int = 0
    waits_until_ns: int = 0

    def standing(self, now_ns: int) -> ApprovalState:
        """Its state at this time: what was not used in its time has expired."""
        if self.state in ("pending", "approved") and now_ns >= self.expires_ns:
            return "expired"
        return self.state

    @property
    def is_whole(self) -> bool:
        """Whether there is all that a person decides on: for a tool call, the answer with it."""
        return self.point == Point.REQUEST.value or self.parked > 0

    def is_decidable(self, now_ns: int) -> bool:
        """Whether a yes would let anything pass: the answer is there whole, or its connection is held open."""
        return self.is_whole or now_ns < self.waits_until_ns


def approval_of(row: tuple[Any, ...], tools: tuple[str, ...]) -> Approval:
    """An approval from its columns, in the order of COLUMNS."""
    values = dict(zip(COLUMNS, row, strict=True))
    return Approval(**{**values, "tools": tools})


COLUMNS: Final = tuple(Approval.__struct_fields__)
