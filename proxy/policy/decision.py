"""What a policy decided at one point, read from what an engine answered; nothing but a plain yes is a yes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from proxy.policy.errors import PolicyUnavailable
from proxy.policy.obligations import NO_DUTIES, AnyObligation, Conflict, Duties, combined, misplaced, unknown_kinds
from proxy.policy.point import Point

NO_GRANT: Final = "not_granted"
CONFLICT: Final = "obligations_conflict"
_written: Final = msgspec.json.Encoder(order="sorted").encode


class Denial(Struct, frozen=True):
    """One rule's no. `msg` is told to the client, `internal` is kept for the decision's record."""

    code: str
    msg: str = ""
    internal: str = ""


class CandidateDenial(Struct, frozen=True):
    """A no to one of the candidates of a route; `id` as the input names it."""

    id: str
    code: str
    msg: str = ""

    def as_denial(self) -> Denial:
        """The same as a no to the whole call."""
        return Denial(self.code, self.msg)


class Decision(Struct, frozen=True, kw_only=True):
    """A decision. `allow` false always has a denial; of several, the first by code is the one that is told."""

    allow: bool
    revision: str
    denials: tuple[Denial, ...] = ()
    duties: Duties = NO_DUTIES
    deny_candidates: tuple[CandidateDenial, ...] = ()

    @property
    def code(self) -> str:
        """The code of the rule that is told; empty for a yes."""
        return self.denials[0].code if self.denials else ""

    @property
    def message(self) -> str:
        """What the client is told; empty for a yes."""
        return self.denials[0].msg if self.denials else ""


class _Package(Struct):
    """A point's whole package as the engine evaluated it; other names in it are helpers and are not looked at."""

    allow: Any = None
    deny: list[Denial] = []
    obligations: list[AnyObligation] = []
    deny_candidates: list[CandidateDenial] = []


def read_decision(point: Point, package: Mapping[str, Any] | None, revision: str) -> Decision:
    """The decision in a package's value; None (undefined) and an `allow` that is not `true` are a no.

    Raises:
        PolicyUnavailable: it has another shape, or obliges to what cannot be done at this point: the policy is broken.
    """
    try:
        found = msgspec.convert(package or {}, _Package)
    except msgspec.ValidationError as error:
        raise PolicyUnavailable(f"data.flyball.{point} has a wrong shape: {error}") from error
    obligations = found.obligations
    if len(obligations) > 1:  # what is told of several must not hang on the order in which they were found
        obligations = sorted(obligations, key=_written)
    if (out_of_place := misplaced(obligations, point)) is not None:
        raise PolicyUnavailable(f"the obligation {out_of_place} means nothing at the point {point}")
    if unknown := unknown_kinds(obligations):
        raise PolicyUnavailable(f"the obligation redact names no kind of finding: {', '.join(map(repr, unknown))}")
    if found.deny_candidates and point is not Point.ROUTE:
        raise PolicyUnavailable(f"deny_candidates means nothing at the point {point}")
    denials = sorted(set(found.deny), key=lambda each: (each.code, each.msg, each.internal))
    if found.allow is not True and not denials:
        denials = [Denial(NO_GRANT, f"No policy grants this {point.value.replace('_', ' ')}.")]
    try:
        duties = combined(obligations)
    except Conflict as conflict:
        denials.append(Denial(CONFLICT, "The policy's obligations contradict each other.", str(conflict)))
        duties = NO_DUTIES
    return Decision(
        allow=not denials,
        revision=revision,
        denials=tuple(denials),
        duties=duties,
        # Sets come in any order, and the first one may be told.
        deny_candidates=tuple(sorted(set(found.deny_candidates), key=lambda each: (each.id, each.code, each.msg))),
    )
