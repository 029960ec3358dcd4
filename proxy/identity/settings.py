"""What flyball.yaml says about tenants: orgs, their teams, and the keys their clients use (DESIGN §10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class CompatSettings:
    """Other proxies whose own members may stand in the bodies that a key's clients send."""

    litellm: bool = field(
        default=False,
        metadata={"doc": "Read and take out the body members of LiteLLM's proxy (docs/coming-from-litellm.md)."},
    )


@dataclass(frozen=True, kw_only=True)
class KeySettings:
    """One client key of the file. Its secret comes from the environment or a file, never from flyball.yaml."""

    name: str = field(metadata={"doc": "The key's name, unique in its team."})
    key_env: str | None = field(default=None, metadata={"doc": "The environment variable that holds the secret."})
    key_file: Path | None = field(default=None, metadata={"doc": "The file whose first line is the secret."})
    key_sha256: str | None = field(
        default=None,
        metadata={"doc": "Instead of the secret its SHA-256 (64 hex digits), as other proxies keep it for their keys."},
    )
    next_key_env: str | None = field(
        default=None, metadata={"doc": "The variable of a second secret that is live too, while clients change over."}
    )
    next_key_file: Path | None = field(default=None, metadata={"doc": "The file of that second secret."})
    allow_weak: bool = field(
        default=False,
        metadata={
            "doc": "Take a secret of fewer than 20 characters, or with spaces in it: for tests whose key is fixed. "
            "Whoever can reach the data port can guess such a key."
        },
    )
    owner: str = field(default="", metadata={"doc": "Who answers for this key."})
    cost_center: str = field(default="", metadata={"doc": "Who pays; empty means the team's, else the org's."})
    models: tuple[str, ...] = field(
        default=(), metadata={"doc": "Glob patterns of the model names this key may use; none means all."}
    )
    agents: tuple[str, ...] = field(
        default=(), metadata={"doc": "Agent names a client may claim; none means the key's own name is the agent."}
    )
    tags: Mapping[str, str] = field(default_factory=dict, metadata={"doc": "Tags pinned on every call of this key."})
    expires_at: datetime | None = field(
        default=None, metadata={"doc": "When the key stops working; a time without a zone is UTC."}
    )
    compat: CompatSettings = field(
        default=CompatSettings(), metadata={"doc": "What its clients may still send that was meant for another proxy."}
    )


@dataclass(frozen=True, kw_only=True)
class TeamSettings:
    """One team of an org in the file."""

    team: str = field(metadata={"doc": "The team's name, unique in its org."})
    cost_center: str = field(default="", metadata={"doc": "Who pays for keys that do not say; empty means the org's."})
    keys: tuple[KeySettings, ...] = field(default=(), metadata={"doc": "The keys of this team."})


@dataclass(frozen=True, kw_only=True)
class OrgSettings:
    """One org of the file."""

    org: str = field(metadata={"doc": "The org's name."})
    cost_center: str = field(default="", metadata={"doc": "Who pays for teams and keys that do not say."})
    enforcement: Literal["enforce", "observe"] = field(
        default="enforce",
        metadata={"doc": "`observe` refuses none of its calls, whatever they break; rows say what would have been."},
    )
    teams: tuple[TeamSettings, ...] = field(default=(), metadata={"doc": "The teams of this org."})


@dataclass(frozen=True, kw_only=True)
class IdentitySettings:
    """Who may call: the list `tenants` of flyball.yaml."""

    tenants: tuple[OrgSettings, ...] = field(
        default=(), metadata={"doc": "Orgs, teams and keys that follow this file; the API cannot change them."}
    )
