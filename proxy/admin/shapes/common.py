"""Pieces that many bodies and answers share."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from proxy.admin.faults import Fault, Refusal
from proxy.core.clock import utc
from proxy.identity import AdminTokens, KeyStore

MOST_PER_PAGE: Final = 500
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2262

Name: TypeAlias = Annotated[
    str, Meta(pattern=KeyStore.NAME_PATTERN, description="Letters, digits, dots, dashes, underscores.")
]
Person: TypeAlias = Annotated[str, Meta(pattern=AdminTokens.PERSON_PATTERN, description="A person's name or address.")]
Word: TypeAlias = Annotated[str, Meta(max_length=256)]
CostCenter: TypeAlias = Annotated[str, Meta(max_length=128, description="Who pays; empty means inherited.")]
Secret: TypeAlias = Annotated[
    str, Meta(min_length=20, max_length=256, description="A secret of 20 to 256 printable ASCII characters.")
]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_PER_PAGE, description="How many objects a page has at most.")]
Page: TypeAlias = Annotated[str, Meta(max_length=2048, description="`next_page` of the page before.")]
UsdText: TypeAlias = Annotated[str, Meta(description="An exact amount of US dollars as decimal text.")]
NanoInt: TypeAlias = Annotated[int, Meta(description="The same amount in nano-dollars (1e-9 USD).")]
Second: TypeAlias = Annotated[int, Meta(ge=0, le=253402300799, description="Unix seconds.")]
UsdIn: TypeAlias = Annotated[
    Decimal, Meta(description="US dollars as decimal text or as a JSON number, read exactly as written.")
]
Moment: TypeAlias = Annotated[datetime, Meta(description="RFC 3339; a time without a zone is UTC.")]
ManagedBy: TypeAlias = Annotated[
    Literal["file", "api"], Meta(description="`file` follows flyball.yaml and cannot be changed here.")
]
Row = TypeVar("Row")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that goes in or out."""


class Listing(Shape, Generic[Row], frozen=True, kw_only=True):
    """One page of a list."""

    data: tuple[Row, ...]
    has_more: bool
    next_page: str | None
    object: Literal["list"] = "list"


class Nothing(Shape, frozen=True, kw_only=True):
    """No parameters."""


class PageQuery(Shape, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: Limit = 100
    page: Page | None = None


class TenantPageQuery(PageQuery, frozen=True, kw_only=True):
    """Which page of a list, narrowed to an org and a team."""

    org: Name | None = None
    team: Name | None = None


class Deleted(Shape, frozen=True, kw_only=True):
    """What is no longer there."""

    id: str
    object: str
    deleted: Literal[True] = True


def moment(ns: int) -> datetime:
    """Nanoseconds since 1970 as a moment on the wire, whole seconds."""
    return utc(ns).replace(microsecond=0)


def maybe_moment(ns: int | None) -> datetime | None:
    """The same for a time that may be missing."""
    return None if ns is None else moment(ns)


def to_ns(param: str, when: datetime | None) -> int | None:
    """A moment of the wire in nanoseconds since 1970; None stays None.

    Raises:
        Refusal: INVALID_REQUEST when nanoseconds cannot say it.
    """
    if when is None:
        return None
    if not FIRST_YEAR <= when.year < LAST_YEAR:
        message = f"{param}: must lie between {FIRST_YEAR} and {LAST_YEAR}."
        raise Refusal(Fault.INVALID_REQUEST, message, param=param)
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000 + aware.microsecond * 1000
