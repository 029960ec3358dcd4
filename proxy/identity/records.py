"""What is known of orgs, teams, keys and admin tokens; never a secret, only its shown beginning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from proxy.core.secret import Secret

ManagedBy: TypeAlias = Literal["file", "api"]
Enforcement: TypeAlias = Literal["enforce", "observe"]


class Role(StrEnum):
    """What a named person may do on the admin port (DESIGN §10)."""

    OWNER = "owner"
    BILLING = "billing"
    POLICY_ADMIN = "policy_admin"
    APPROVER = "approver"
    AUDITOR = "auditor"
    VIEWER = "viewer"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrgRecord:
    """A tenant. `version` counts its changes; times are nanoseconds since 1970.

    `enforcement` observe refuses none of its calls (but those without a valid key) and notes what would have been.
    """

    org: str
    cost_center: str
    managed_by: ManagedBy
    created_ns: int
    version: int
    enforcement: Enforcement = "enforce"


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamRecord:
    """A team of an org."""

    org: str
    team: str
    cost_center: str
    managed_by: ManagedBy
    created_ns: int
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRecord:
    """One of a key's secrets, known by its number in the key and its shown beginning."""

    number: int
    prefix: str
    created_ns: int
    expires_ns: int | None
    revoked_ns: int | None

    def live(self, now_ns: int) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked_ns is None and (self.expires_ns is None or now_ns < self.expires_ns)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTerms:
    """What a key is allowed and who pays: all of a key that can be changed at will."""

    owner: str = ""
    cost_center: str = ""
    models: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    expires_ns: int | None = None
    compat: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRecord:
    """A client key. `key_id` stays when names change; `terms.cost_center` is the key's own, empty when inherited."""

    key_id: str
    org: str
    team: str
    name: str
    terms: KeyTerms
    managed_by: ManagedBy
    created_ns: int
    revoked_ns: int | None
    version: int
    secrets: tuple[SecretRecord, ...] = ()

    def status(self, now_ns: int) -> Literal["active", "expired", "revoked"]:
        """Whether any secret of it opens anything at this time, and if none does, why."""
        if self.revoked_ns is not None or all(secret.revoked_ns is not None for secret in self.secrets):
            return "revoked"
        if self.terms.expires_ns is not None and now_ns >= self.terms.expires_ns:
            return "expired"
        return "active" if any(secret.live(now_ns) for secret in self.secrets) else "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A key together with a secret that is shown this once."""

    key: KeyRecord
    secret: Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminIdentity:
    """A named person on the admin port; None as org or team binds to nothing: all of them."""

    name: str
    role: Role
    org: str | None = None
    team: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRecord:
    """A named person's token. Times are nanoseconds since 1970."""

    token_id: str
    name: str
    role: Role
    org: str | None
    team: str | None
    prefix: str
    created_ns: int
    expires_ns: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """A token's record together with its secret, which is shown this once."""

    token: TokenRecord
    secret: Secret
