"""The org or team a token is bound to: what lies outside does not exist for it."""

from dataclasses import dataclass

from proxy.admin.faults import Fault, Refusal


@dataclass(frozen=True, slots=True)
class Binding:
    """What of the tenants a token reaches; None is all of them."""

    org: str | None
    team: str | None

    def sees(self, org: str, team: str | None = None) -> bool:
        """Whether it may read a thing of this org, or of this team in it; a team's token sees its org's name."""
        return self.org in (None, org) and (self.team is None or team in (None, self.team))

    def rules(self, org: str, team: str | None = None) -> bool:
        """Whether it may change a thing of this org, or of this team in it; a team's token does not rule its org."""
        return self.org in (None, org) and self.team in (None, team)

    def require_sight(self, org: str, team: str | None = None) -> None:
        """Refuse to look outside; the answer does not tell whether there is anything."""
        if not self.sees(org, team):
            raise self._outside()

    def require_rule(self, org: str, team: str | None = None) -> None:
        """Refuse to change anything outside; the answer does not tell whether there is anything."""
        if not self.rules(org, team):
            raise self._outside()

    def require_all(self) -> None:
        """Refuse what is of no org alone to a token that is bound to one."""
        if self.org is not None:
            raise self._outside()

    def narrowed(self, org: str | None, team: str | None) -> tuple[str | None, str | None]:
        """The org and team to look in, when these were asked for (None: not asked for)."""
        if org is not None and self.org not in (None, org):
            raise self._outside()
        if team is not None and self.team not in (None, team):
            raise self._outside()
        return self.org or org, self.team or team

    def _outside(self) -> Refusal:
        place = f"org {self.org}" if self.team is None else f"team {self.org}/{self.team}"
        return Refusal(Fault.OUTSIDE_BINDING, f"This token is bound to {place}.")


def owner_of(scope: str) -> tuple[str, str | None]:
    """The org, and the team if any, that a scope such as `key:acme/support/bot` belongs to.

    Raises:
        Refusal: INVALID_REQUEST when the text is not a scope.
    """
    kind, _, path = scope.partition(":")
    parts = path.split("/", 1) if kind in ("user", "agent", "run", "tag") else path.split("/")
    wanted = {"org": 1, "team": 2, "key": 3, "user": 2, "agent": 2, "run": 2, "tag": 2}.get(kind)
    if wanted != len(parts) or not all(parts):
        rule = "a scope is written like org:acme, team:acme/support or key:acme/support/bot"
        raise Refusal(Fault.INVALID_REQUEST, f"scope: {rule}.", param="scope")
    return parts[0], parts[1] if kind in ("team", "key") else None
