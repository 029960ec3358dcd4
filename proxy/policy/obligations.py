"""What a policy may ask for beside yes and no, and what several of them come to together (DESIGN §7)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct, field

from proxy.policy.findings import unknown_names
from proxy.policy.point import Point

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
LONGEST_APPROVAL_S: Final = 366 * 86_400


class Obligation(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """One thing a policy obliges us to do; `type` tells which."""


class CapTokens(Obligation, frozen=True, kw_only=True, tag="cap_tokens"):
    """No more output than so many tokens."""

    max: Count


class ForceModel(Obligation, frozen=True, kw_only=True, tag="force_model"):
    """Serve with this model, whatever was asked for."""

    model: Name


class Downgrade(Obligation, frozen=True, kw_only=True, tag="downgrade"):
    """Serve with a cheaper model: the first pattern of `to` that matches the one asked for names it."""

    to: dict[str, Name]


class StripTool(Obligation, frozen=True, kw_only=True, tag="strip_tool"):
    """Take this tool out of the request before it is sent."""

    name: Name


class Redact(Obligation, frozen=True, kw_only=True, tag="redact"):
    """Replace findings of these kinds, or categories of kinds, in the messages before they are sent. `unread`: what
    becomes of a request with parts that hold no text, such as images."""

    kinds: list[Name]
    unread: Literal["refuse", "pass"] = "refuse"


class NoCache(Obligation, frozen=True, kw_only=True, tag="no_cache"):
    """Neither answer from a cache nor keep the answer in one."""


class RequireApproval(Obligation, frozen=True, kw_only=True, tag="require_approval"):
    """A person must say yes first; for so long the connection is held open for it."""

    reason: str = ""
    expires_s: Annotated[int, Meta(ge=1, le=LONGEST_APPROVAL_S)] = 3600
    wait_s: Annotated[int, Meta(ge=0)] = 0


class Tag(Obligation, frozen=True, kw_only=True, tag="tag"):
    """Put a trusted tag on the call's row."""

    key: Name
    value: str


class Alert(Obligation, frozen=True, kw_only=True, tag="alert"):
    """Tell the people who get alerts."""

    msg: str


AnyObligation: TypeAlias = (
    CapTokens | ForceModel | Downgrade | StripTool | Redact | NoCache | RequireApproval | Tag | Alert
)

VALID_AT: Final[Mapping[type[Obligation], frozenset[Point]]] = {
    CapTokens: frozenset({Point.REQUEST, Point.ROUTE}),
    ForceModel: frozenset({Point.REQUEST}),
    Downgrade: frozenset({Point.REQUEST}),
    StripTool: frozenset({Point.REQUEST, Point.ROUTE}),
    Redact: frozenset({Point.REQUEST, Point.ROUTE}),
    NoCache: frozenset({Point.REQUEST, Point.ROUTE, Point.RESPONSE}),
    RequireApproval: frozenset({Point.REQUEST, Point.TOOL_CALL}),
    Tag: frozenset(Point),
    Alert: frozenset(Point),
}
"""At which points each obligation means something; elsewhere it is an error of the policy."""


_Wanted = TypeVar("_Wanted")


class Conflict(ValueError):
    """Two obligations that cannot both be met; the call is denied."""


class Duties(Struct, frozen=True, kw_only=True):
    """All obligations of one decision together: caps at their least, strips, redactions and tags as a union."""

    cap_tokens: int | None = None
    force_model: str | None = None
    downgrade: tuple[tuple[str, str], ...] = ()
    strip_tools: frozenset[str] = frozenset()
    redact: frozenset[str] = frozenset()
    passes_unread: bool = False
    no_cache: bool = False
    require_approval: RequireApproval | None = None
    tags: dict[str, str] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()


NO_DUTIES: Final = Duties()


def combined(obligations: Sequence[AnyObligation]) -> Duties:
    """What a decision's obligations come to, whatever their order.

    Raises:
        Conflict: two models forced, two downgrades that differ, or one tag with two values.
    """
    if not obligations:
        return NO_DUTIES
    caps = [each.max for each in obligations if isinstance(each, CapTokens)]
    redacts = [each for each in obligations if isinstance(each, Redact)]
    approvals = [each for each in obligations if isinstance(each, RequireApproval)]
    return Duties(
        cap_tokens=min(caps, default=None),
        force_model=_only({each.model for each in obligations if isinstance(each, ForceModel)}, "force_model"),
        downgrade=_only({tuple(each.to.items()) for each in obligations if isinstance(each, Downgrade)}, "downgrade")
        or (),
        strip_tools=frozenset(each.name for each in obligations if isinstance(each, StripTool)),
        redact=frozenset(kind for each in redacts for kind in each.kinds),
        passes_unread=bool(redacts) and all(each.unread == "pass" for each in redacts),
        no_cache=any(isinstance(each, NoCache) for each in obligations),
        # The one that waits the shortest holds for all.
        require_approval=min(approvals, key=lambda each: (each.expires_s, each.reason), default=None),
        tags=_tags(obligations),
        alerts=tuple(sorted({each.msg for each in obligations if isinstance(each, Alert)})),
    )


def obligations_of(duties: Duties) -> list[AnyObligation]:
    """What the duties are made of, as a policy would say it: one obligation for each thing to do."""
    if duties is NO_DUTIES:
        return []
    found: list[AnyObligation] = []
    if duties.cap_tokens is not None:
        found.append(CapTokens(max=duties.cap_tokens))
    if duties.force_model is not None:
        found.append(ForceModel(model=duties.force_model))
    if duties.downgrade:
        found.append(Downgrade(to=dict(duties.downgrade)))
    found += [StripTool(name=name) for name in sorted(duties.strip_tools)]
    if duties.redact:
        found.append(Redact(kinds=sorted(duties.redact), unread="pass" if duties.passes_unread else "refuse"))
    if duties.no_cache:
        found.append(NoCache())
    if duties.require_approval is not None:
        found.append(duties.require_approval)
    found += [Tag(key=key, value=value) for key, value in sorted(duties.tags.items())]
    found += [Alert(msg=message) for message in duties.alerts]
    return found


def misplaced(obligations: Sequence[AnyObligation], point: Point) -> str | None:
    """The first obligation's type that means nothing at this point; None when all of them do."""
    for each in obligations:
        if point not in VALID_AT[type(each)]:
            return str(each.__struct_config__.tag)
    return None


def unknown_kinds(obligations: Sequence[AnyObligation]) -> list[str]:
    """What is to be redacted and is no kind of finding, and no category."""
    return unknown_names(kind for each in obligations if isinstance(each, Redact) for kind in each.kinds)


def _tags(obligations: Sequence[AnyObligation]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for each in obligations:
        if isinstance(each, Tag) and tags.setdefault(each.key, each.value) != each.value:
            raise Conflict(f"the tag {each.key!r} is to be {tags[each.key]!r} and {each.value!r}")
    return tags


def _only(wanted: set[_Wanted], what: str) -> _Wanted | None:
    if len(wanted) > 1:
        raise Conflict(f"{what} is asked for in {len(wanted)} ways that differ")
    return next(iter(wanted), None)
