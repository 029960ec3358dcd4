"""The console's way to the admin API: what it shows of budgets and runs, and what it changes, goes through there."""

from collections.abc import Mapping
from typing import Any, Protocol

from proxy.admin.console.sessions import ConsoleIdentity
from proxy.admin.inside import Person, Told
from proxy.admin.roles import Permission


class Governor(Protocol):
    """The admin API for a signed-in person: `Inside`. It refuses by raising Refusal."""

    def may(self, person: Person, permission: Permission) -> bool:
        """Whether the person's role includes it."""
        ...

    async def ask(
        self,
        person: Person,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        tag: str | None = None,
    ) -> Told:
        """One request, as over the wire."""
        ...


def person_of(identity: ConsoleIdentity) -> Person:
    """The signed-in person as the admin API knows people."""
    return Person(identity.name, str(identity.role), identity.org, identity.team)
