"""Orgs, teams and keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from proxy.admin.shapes.common import CostCenter, ManagedBy, Moment, Name, Secret, Shape, maybe_moment, moment
from proxy.budget import Enforcement
from proxy.core.tenant import LITELLM
from proxy.identity import KeyStore

Pattern: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Patterns: TypeAlias = Annotated[
    tuple[Pattern, ...], Meta(max_length=256, description="Glob patterns of model names; none means all.")
]
Agents: TypeAlias = Annotated[
    tuple[Pattern, ...], Meta(max_length=256, description="Agent names a client may claim; none: the key's name.")
]
TagName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
TagValue: TypeAlias = Annotated[str, Meta(max_length=256)]
Tags: TypeAlias = Annotated[dict[TagName, TagValue], Meta(max_length=16, description="Pinned on every call.")]
Owner: TypeAlias = Annotated[str, Meta(max_length=128, description="Who answers for this key.")]


class OrgBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be said of an org."""

    cost_center: CostCenter = ""
    enforcement: Annotated[
        Enforcement, Meta(description="`observe` refuses none of its calls; rows say what would have been.")
    ] = "enforce"


class TeamBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be said of a team."""

    cost_center: CostCenter = ""


class Compat(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other proxies whose own members may stand in a body."""

    litellm: bool = False


class KeyBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a key that can be changed; what is left out goes back to its default."""

    owner: Owner = ""
    cost_center: CostCenter = ""
    models: Patterns = ()
    agents: Agents = ()
    tags: Tags = msgspec.field(default_factory=dict)
    expires_at: Moment | None = None
    compat: Annotated[
        Compat, Meta(description="What its clients may still put into bodies that was meant for another proxy.")
    ] = Compat()


class KeyCreateBody(KeyBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new key: its place, its terms, and its secret if it brings one."""

    org: Name
    team: Name
    name: Name
    secret: Secret | None = None


class RotateBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second secret for a key: a fresh one, or the one brought along."""

    secret: Secret | None = None
    old_expires_at: Annotated[Moment | None, Meta(description="When the secrets live now end.")] = None


class RevokeBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which secret of a key to revoke."""

    secret_number: Annotated[int | None, Meta(description="Its number; none revokes the whole key for good.")] = None


class Org(Shape, frozen=True, kw_only=True):
    """An org."""

    org: str
    cost_center: str
    enforcement: Enforcement
    managed_by: ManagedBy
    created_at: datetime
    version: int
    object: Literal["org"] = "org"


class Team(Shape, frozen=True, kw_only=True):
    """A team of an org."""

    org: str
    team: str
    cost_center: str
    managed_by: ManagedBy
    created_at: datetime
    version: int
    object: Literal["team"] = "team"


class KeySecret(Shape, frozen=True, kw_only=True):
    """One of a key's secrets, for recognition."""

    number: int
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    live: bool


class Key(Shape, frozen=True, kw_only=True):
    """A client key, never its secret."""

    id: str
    org: str
    team: str
    name: str
    owner: str
    cost_center: str
    models: tuple[str, ...]
    agents: tuple[str, ...]
    tags: Mapping[str, str]
    compat: Compat
    expires_at: datetime | None
    status: Literal["active", "expired", "revoked"]
    managed_by: ManagedBy
    secrets: tuple[KeySecret, ...]
    created_at: datetime
    revoked_at: datetime | None
    version: int
    object: Literal["key"] = "key"


class IssuedKey(Shape, frozen=True, kw_only=True):
    """A key and the secret made for it, shown this once; null for a secret that was brought along."""

    key: Key
    secret: str | None
    object: Literal["issued_key"] = "issued_key"


def show_org(record: KeyStore.Org) -> Org:
    """An org as it is shown."""
    return Org(
        org=record.org,
        cost_center=record.cost_center,
        enforcement=record.enforcement,
        managed_by=record.managed_by,
        created_at=moment(record.created_ns),
        version=record.version,
    )


def show_team(record: KeyStore.Team) -> Team:
    """A team as it is shown."""
    return Team(
        org=record.org,
        team=record.team,
        cost_center=record.cost_center,
        managed_by=record.managed_by,
        created_at=moment(record.created_ns),
        version=record.version,
    )


def show_key(record: KeyStore.Key, now_ns: int) -> Key:
    """A key as it is shown and stands now."""
    terms = record.terms
    alive = record.revoked_ns is None and (terms.expires_ns is None or now_ns < terms.expires_ns)
    return Key(
        id=record.key_id,
        org=record.org,
        team=record.team,
        name=record.name,
        owner=terms.owner,
        cost_center=terms.cost_center,
        models=terms.models,
        agents=terms.agents,
        tags=terms.tags,
        compat=Compat(litellm=LITELLM in terms.compat),
        expires_at=maybe_moment(terms.expires_ns),
        status=record.status(now_ns),
        managed_by=record.managed_by,
        secrets=tuple(
            KeySecret(
                number=each.number,
                prefix=each.prefix,
                created_at=moment(each.created_ns),
                expires_at=maybe_moment(each.expires_ns),
                revoked_at=maybe_moment(each.revoked_ns),
                live=alive and each.live(now_ns),
            )
            for each in record.secrets
        ),
        created_at=moment(record.created_ns),
        revoked_at=maybe_moment(record.revoked_ns),
        version=record.version,
    )
