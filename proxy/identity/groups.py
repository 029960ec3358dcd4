"""Orgs and teams in the state file: plain functions over a connection, the caller holds the transaction."""

import sqlite3
from collections.abc import Sequence

from proxy.identity.errors import IdentityError
from proxy.identity.records import OrgRecord, TeamRecord


def find_org(connection: sqlite3.Connection, org: str) -> OrgRecord | None:
    """One org, None when there is none of this name."""
    row = connection.execute(
        "SELECT org, cost_center, managed_by, created_ns, version, enforcement FROM orgs WHERE org = ?", (org,)
    ).fetchone()
    return None if row is None else _org(row)


def orgs_after(connection: sqlite3.Connection, after: str, only: str | None, limit: int) -> list[OrgRecord]:
    """Orgs by name, from the first one behind `after`; `only` narrows to one."""
    rows = connection.execute(
        "SELECT org, cost_center, managed_by, created_ns, version, enforcement FROM orgs"
        " WHERE org > ? AND (? IS NULL OR org = ?) ORDER BY org LIMIT ?",
        (after, only, only, limit),
    )
    return [_org(row) for row in rows]


def write_org(connection: sqlite3.Connection, record: OrgRecord) -> None:
    """Insert or replace an org as given."""
    connection.execute(
        "INSERT INTO orgs (org, cost_center, managed_by, created_ns, version, enforcement) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (org) DO UPDATE SET cost_center = excluded.cost_center, managed_by = excluded.managed_by,"
        " let_go = 0, version = excluded.version, enforcement = excluded.enforcement",
        (
            *(record.org, record.cost_center, record.managed_by),
            *(record.created_ns, record.version, record.enforcement),
        ),
    )


def observing_orgs(connection: sqlite3.Connection) -> frozenset[str]:
    """The orgs whose enforcement is observe."""
    rows = connection.execute("SELECT org FROM orgs WHERE enforcement = 'observe'")
    return frozenset(org for (org,) in rows)


def remove_org(connection: sqlite3.Connection, org: str) -> None:
    """Delete an org; raises `in_use` while it has teams."""
    teams = connection.execute("SELECT count(*) FROM teams WHERE org = ?", (org,)).fetchone()[0]
    if teams:
        raise IdentityError("in_use", f"org {org} still has {teams} team(s); delete them first")
    tokens = connection.execute("SELECT count(*) FROM admin_tokens WHERE org = ?", (org,)).fetchone()[0]
    if tokens:
        raise IdentityError("in_use", f"{tokens} admin token(s) are bound to org {org}; delete them first")
    connection.execute("DELETE FROM orgs WHERE org = ?", (org,))


def find_team(connection: sqlite3.Connection, org: str, team: str) -> TeamRecord | None:
    """One team, None when there is none of this name."""
    row = connection.execute(
        "SELECT org, team, cost_center, managed_by, created_ns, version FROM teams WHERE org = ? AND team = ?",
        (org, team),
    ).fetchone()
    return None if row is None else _team(row)


def teams_after(
    connection: sqlite3.Connection, after: tuple[str, str], only: tuple[str | None, str | None], limit: int
) -> list[TeamRecord]:
    """Teams by org and name, from the first one behind `after`; `only` narrows to an org and a team."""
    org, team = only
    rows = connection.execute(
        "SELECT org, team, cost_center, managed_by, created_ns, version FROM teams"
        " WHERE (org, team) > (?, ?) AND (? IS NULL OR org = ?) AND (? IS NULL OR team = ?)"
        " ORDER BY org, team LIMIT ?",
        (*after, org, org, team, team, limit),
    )
    return [_team(row) for row in rows]


def write_team(connection: sqlite3.Connection, record: TeamRecord) -> None:
    """Insert or replace a team as given; its org must exist."""
    connection.execute(
        "INSERT INTO teams (org, team, cost_center, managed_by, created_ns, version) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (org, team) DO UPDATE SET cost_center = excluded.cost_center,"
        " managed_by = excluded.managed_by, let_go = 0, version = excluded.version",
        (record.org, record.team, record.cost_center, record.managed_by, record.created_ns, record.version),
    )


def remove_team(connection: sqlite3.Connection, org: str, team: str) -> None:
    """Delete a team; raises `in_use` while it has keys."""
    keys = connection.execute("SELECT count(*) FROM keys WHERE org = ? AND team = ?", (org, team)).fetchone()[0]
    if keys:
        raise IdentityError("in_use", f"team {org}/{team} still has {keys} key(s); delete them first")
    bound = "SELECT count(*) FROM admin_tokens WHERE org = ? AND team = ?"
    tokens = connection.execute(bound, (org, team)).fetchone()[0]
    if tokens:
        raise IdentityError("in_use", f"{tokens} admin token(s) are bound to team {org}/{team}; delete them first")
    connection.execute("DELETE FROM teams WHERE org = ? AND team = ?", (org, team))


def let_go_of(connection: sqlite3.Connection) -> tuple[set[str], set[tuple[str, str]]]:
    """Orgs and teams that the file made, no longer names, and may take back."""
    orgs: Sequence[tuple[str]] = connection.execute("SELECT org FROM orgs WHERE let_go = 1").fetchall()
    teams: Sequence[tuple[str, str]] = connection.execute("SELECT org, team FROM teams WHERE let_go = 1").fetchall()
    return {org for (org,) in orgs}, set(teams)


def drop_or_let_go_of_team(connection: sqlite3.Connection, org: str, team: str) -> None:
    """Delete a team that left the file; one that still has keys or people of the API's becomes the API's."""
    path = (org, team)
    held = (
        "SELECT 1 FROM keys WHERE org = ? AND team = ? UNION ALL SELECT 1 FROM admin_tokens WHERE org = ? AND team = ?"
    )
    if connection.execute(held, path * 2).fetchone() is None:
        connection.execute("DELETE FROM teams WHERE org = ? AND team = ?", path)
    else:
        connection.execute(
            "UPDATE teams SET managed_by = 'api', let_go = 1, version = version + 1 WHERE org = ? AND team = ?", path
        )


def drop_or_let_go_of_org(connection: sqlite3.Connection, org: str) -> None:
    """Delete an org that left the file; one that still has teams or people of the API's becomes the API's."""
    held = "SELECT 1 FROM teams WHERE org = ? UNION ALL SELECT 1 FROM admin_tokens WHERE org = ?"
    if connection.execute(held, (org, org)).fetchone() is None:
        connection.execute("DELETE FROM orgs WHERE org = ?", (org,))
    else:
        connection.execute(
            "UPDATE orgs SET managed_by = 'api', let_go = 1, version = version + 1 WHERE org = ?", (org,)
        )


def _org(row: sqlite3.Row) -> OrgRecord:
    org, cost_center, managed_by, created_ns, version, enforcement = row
    return OrgRecord(
        org=org,
        cost_center=cost_center,
        managed_by=managed_by,
        created_ns=created_ns,
        version=version,
        enforcement=enforcement,
    )


def _team(row: sqlite3.Row) -> TeamRecord:
    org, team, cost_center, managed_by, created_ns, version = row
    return TeamRecord(
        org=org, team=team, cost_center=cost_center, managed_by=managed_by, created_ns=created_ns, version=version
    )
