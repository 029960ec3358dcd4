"""Admin tokens, who one is, and the trail of changes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from proxy.admin.roles import Role
from proxy.admin.shapes.common import Moment, Name, PageQuery, Person, Shape, Word, maybe_moment, moment
from proxy.identity import AdminTokens


class TokenBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new token for a named person."""

    name: Person
    role: Role
    org: Annotated[Name | None, Meta(description="The one org it reaches.")] = None
    team: Annotated[Name | None, Meta(description="The one team of that org it reaches.")] = None
    expires_at: Moment | None = None


class Token(Shape, frozen=True, kw_only=True):
    """A named person's token, never its secret."""

    id: str
    name: str
    role: Role
    org: str | None
    team: str | None
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    object: Literal["token"] = "token"


class IssuedToken(Shape, frozen=True, kw_only=True):
    """A token and its secret, shown this once."""

    token: Token
    secret: str | None
    object: Literal["issued_token"] = "issued_token"


class Self(Shape, frozen=True, kw_only=True):
    """Who is asking, and what the role includes."""

    name: str
    role: Role
    org: str | None
    team: str | None
    permissions: tuple[str, ...]
    object: Literal["self"] = "self"


class AuditQuery(PageQuery, frozen=True, kw_only=True):
    """Which part of the trail, newest first."""

    actor: Word | None = None
    action: Word | None = None
    subject: Word | None = None


class AuditRecord(Shape, frozen=True, kw_only=True):
    """One change: who, when, what, and how it was before and after. No secret is in it."""

    id: int
    at: datetime
    actor: str
    role: str
    action: str
    subject: str
    org: str | None
    team: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    object: Literal["audit_record"] = "audit_record"


class ConsoleLink(Shape, frozen=True, kw_only=True):
    """A way into the console that works once, within a minute."""

    path: Annotated[str, Meta(description="To be opened on this same host and port.")]
    expires_in_s: int
    object: Literal["console_link"] = "console_link"


def show_token(record: AdminTokens.Record) -> Token:
    """A token as it is shown."""
    return Token(
        id=record.token_id,
        name=record.name,
        role=record.role,
        org=record.org,
        team=record.team,
        prefix=record.prefix,
        created_at=moment(record.created_ns),
        expires_at=maybe_moment(record.expires_ns),
    )
