"""Orgs and teams."""

from proxy.admin.call import Answer, Call
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import Deleted, PageQuery, TenantPageQuery
from proxy.admin.shapes.tenants import Org, OrgBody, Team, TeamBody, show_org, show_team
from proxy.identity import IdentityError


def list_orgs(call: Call) -> Answer:
    """The orgs that the token reaches, by name."""
    asked = call.query(PageQuery)
    (after,) = place_of(asked.page, 1)
    found = call.rooms.key_store.orgs(only=call.binding.org, after=after, limit=asked.limit + 1)
    return Answer(listing(found, asked.limit, show_org, lambda each: (each.org,)))


def get_org(call: Call) -> Answer:
    """One org."""
    name = call.path["org"]
    call.binding.require_sight(name)
    return _org(show_org(call.rooms.key_store.org(name)))


def put_org(call: Call) -> Answer:
    """Make an org, or replace what is said of it."""
    name = call.path["org"]
    call.binding.require_rule(name)
    before = _org_before(call, name)
    said = call.body(OrgBody)
    record = call.rooms.key_store.put_org(
        name, cost_center=said.cost_center, enforcement=said.enforcement, expect=call.condition.version
    )
    after = show_org(record)
    call.audit("org.put", f"org:{name}", org=name, before=before, after=after)
    return _org(after, created=record.version == 1)


def delete_org(call: Call) -> Answer:
    """Delete an org that has no teams."""
    name = call.path["org"]
    call.binding.require_rule(name)
    before = show_org(call.rooms.key_store.delete_org(name, expect=call.condition.version))
    call.audit("org.delete", f"org:{name}", org=name, before=before)
    return Answer(Deleted(id=name, object="org"))


def list_teams(call: Call) -> Answer:
    """The teams that the token reaches, by org and name."""
    asked = call.query(TenantPageQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    after_org, after_team = place_of(asked.page, 2)
    found = call.rooms.key_store.teams(org=org, team=team, after=(after_org, after_team), limit=asked.limit + 1)
    return Answer(listing(found, asked.limit, show_team, lambda each: (each.org, each.team)))


def get_team(call: Call) -> Answer:
    """One team."""
    org, team = call.path["org"], call.path["team"]
    call.binding.require_sight(org, team)
    return _team(show_team(call.rooms.key_store.team(org, team)))


def put_team(call: Call) -> Answer:
    """Make a team in an org that exists, or replace what is said of it."""
    org, team = call.path["org"], call.path["team"]
    call.binding.require_rule(org, team)
    before = _team_before(call, org, team)
    record = call.rooms.key_store.put_team(
        org, team, cost_center=call.body(TeamBody).cost_center, expect=call.condition.version
    )
    after = show_team(record)
    call.audit("team.put", f"team:{org}/{team}", org=org, team=team, before=before, after=after)
    return _team(after, created=record.version == 1)


def delete_team(call: Call) -> Answer:
    """Delete a team that has no keys."""
    org, team = call.path["org"], call.path["team"]
    call.binding.require_rule(org, team)
    before = show_team(call.rooms.key_store.delete_team(org, team, expect=call.condition.version))
    call.audit("team.delete", f"team:{org}/{team}", org=org, team=team, before=before)
    return Answer(Deleted(id=f"{org}/{team}", object="team"))


def _org(org: Org, *, created: bool = False) -> Answer:
    return Answer(org, status=201 if created else 200, tag=str(org.version))


def _team(team: Team, *, created: bool = False) -> Answer:
    return Answer(team, status=201 if created else 200, tag=str(team.version))


def _org_before(call: Call, org: str) -> Org | None:
    try:
        return show_org(call.rooms.key_store.org(org))
    except IdentityError:
        return None


def _team_before(call: Call, org: str, team: str) -> Team | None:
    try:
        return show_team(call.rooms.key_store.team(org, team))
    except IdentityError:
        return None
