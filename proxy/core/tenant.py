"""Who pays: the principal behind a key, and the scopes that budgets hang on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

LITELLM: Final = "litellm"
"""In `Principal.compat`: bodies may hold members of LiteLLM's proxy."""
OVERHEAD: Final = "(overhead)"
"""In the place of a key's name in rows of what Flyball does beside its clients' calls; no key can be called so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Whom a client key stands for. Names as of the call; `key_id` survives renames.

    `models` are glob patterns of model names this key may use, empty meaning all. `agents` are the agent
    names a client may claim, empty meaning that the key's own name is the agent. `tags` are trusted. `compat` names
    other proxies whose own members its clients may still put into a body (`litellm`).
    """

    org: str
    team: str
    key_id: str
    key_name: str
    cost_center: str = ""
    owner: str = ""
    models: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    compat: tuple[str, ...] = ()
    is_overhead: bool = False
    """Whether it is an org's overhead account, in the place of a key of its."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes every call of this principal falls under, widest first (DESIGN §3)."""
        if self.is_overhead:
            return (org_scope(self.org), overhead_scope(self.org))
        return (org_scope(self.org), team_scope(self.org, self.team), key_scope(self.org, self.team, self.key_name))


@lru_cache(maxsize=256)
def overhead_of(org: str) -> Principal:
    """The org's overhead account: it pays for what Flyball asks of providers beside the org's calls."""
    return Principal(org=org, team="", key_id=f"overhead:{org}", key_name=OVERHEAD, is_overhead=True)


def org_scope(org: str) -> str:
    """`org:acme`."""
    return f"org:{org}"


def team_scope(org: str, team: str) -> str:
    """`team:acme/support`."""
    return f"team:{org}/{team}"


def key_scope(org: str, team: str, key: str) -> str:
    """`key:acme/support/bot`."""
    return f"key:{org}/{team}/{key}"


def agent_scope(org: str, agent: str) -> str:
    """`agent:acme/triage`."""
    return f"agent:{org}/{agent}"


def user_scope(org: str, user: str) -> str:
    """`user:acme/u1`; what cannot be printed in a name that came with a body is written as an escape."""
    return f"user:{org}/{_printable(user)}"


def overhead_scope(org: str) -> str:
    """`overhead:acme`."""
    return f"overhead:{org}"


def run_scope(org: str, run: str) -> str:
    """`run:acme/r`; escaped like an end user's name."""
    return f"run:{org}/{_printable(run)}"


def tag_scope(org: str, key: str, value: str) -> str:
    """`tag:acme/env=prod`."""
    return f"tag:{org}/{key}={value}"


def _printable(name: str) -> str:
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
