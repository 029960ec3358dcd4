"""Purges: what was taken out of the caches, by whom and when."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import Limit, Page, Shape, Word, moment
from proxy.cache import Purge

PurgeTarget: TypeAlias = Annotated[
    str,
    Meta(
        max_length=400,
        description="What is taken out: `all`, `entry:op_…` (the operation that made the answer), `model:gpt-5` (as it "
        "answered or was sent), `tag:env=prod`, `revision:…` (of the policy).",
    ),
]


class PurgeBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be taken out of the caches."""

    target: PurgeTarget
    org: Annotated[Word | None, Meta(description="Of this org only; null is everybody's.")] = None


class PurgeQuery(Shape, frozen=True, kw_only=True):
    """How many purges are asked for."""

    limit: Limit = 100
    page: Page | None = None


class CachePurge(Shape, frozen=True, kw_only=True):
    """One purge: answers made until then are given to nobody."""

    id: str
    target: PurgeTarget
    org: Annotated[str | None, Meta(description="Whose answers; null is everybody's.")]
    by: str
    at: datetime
    object: Literal["cache_purge"] = "cache_purge"


def show_purge(purge: Purge) -> CachePurge:
    """A purge as it is shown."""
    return CachePurge(id=purge.id, target=purge.target, org=purge.org or None, by=purge.by, at=moment(purge.at_ns))
