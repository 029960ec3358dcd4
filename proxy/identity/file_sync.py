"""Making the file-managed part of the state file what flyball.yaml says; API-made objects are never touched."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from proxy.core.ids import new_id
from proxy.identity import groups, key_rows
from proxy.identity.errors import IdentityError
from proxy.identity.file_wanted import KeyPath, OrgTerms, Wanted, WantedKey
from proxy.identity.records import KeyRecord, ManagedBy, OrgRecord, TeamRecord

ALL: Final = 2**31
FILE: Final[ManagedBy] = "file"


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Names of what following the file added, changed and removed, such as `key:acme/support/bot`."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class FileSync:
    """One comparison of the file with the state file, over one connection.

    Raises (when made):
        IdentityError: `invalid`, listing every name and secret that the API has made too.
    """

    def __init__(self, connection: sqlite3.Connection, wanted: Wanted, now_ns: int) -> None:
        self._connection = connection
        self._wanted = wanted
        self._now_ns = now_ns
        self._orgs = {each.org: each for each in groups.orgs_after(connection, "", None, ALL)}
        teams = groups.teams_after(connection, ("", ""), (None, None), ALL)
        self._teams = {(each.org, each.team): each for each in teams}
        keys = key_rows.keys_after(connection, ("", "", ""), (None, None), ALL)
        self._keys: dict[KeyPath, KeyRecord] = {(each.org, each.team, each.name): each for each in keys}
        self._owners = key_rows.digests(connection)
        self._secrets: defaultdict[str, dict[bytes, str]] = defaultdict(dict)
        for digest, (key_id, prefix) in self._owners.items():
            self._secrets[key_id][digest] = prefix
        self._changes = FileChanges()
        problems = list(self._conflicts())
        if problems:
            raise IdentityError("invalid", *problems)

    def settled(self) -> bool:
        """Whether the state file holds just what the file wants."""
        held = Wanted(
            orgs={name: _terms(each) for name, each in self._orgs.items() if each.managed_by == FILE},
            teams={name: each.cost_center for name, each in self._teams.items() if each.managed_by == FILE},
            keys={path: self._held(key) for path, key in self._keys.items() if key.managed_by == FILE},
        )
        return held == self._wanted

    def apply(self) -> FileChanges:
        """Write the differences. All that goes, goes first: a secret may move from one key to another."""
        self._remove_keys()
        self._write_groups()
        self._write_keys()
        self._remove_groups()
        return self._changes

    def _conflicts(self) -> Iterator[str]:
        orgs_let_go, teams_let_go = groups.let_go_of(self._connection)
        for org in self._wanted.orgs:
            if org in self._orgs and self._orgs[org].managed_by != FILE and org not in orgs_let_go:
                yield f"org {org!r} is in the file and was made by the API too"
        for team in self._wanted.teams:
            if team in self._teams and self._teams[team].managed_by != FILE and team not in teams_let_go:
                yield f"team {'/'.join(team)!r} is in the file and was made by the API too"
        of_api = {key.key_id for key in self._keys.values() if key.managed_by != FILE}
        for path, key in self._wanted.keys.items():
            if path in self._keys and self._keys[path].managed_by != FILE:
                yield f"key {'/'.join(path)!r} is in the file and was made by the API too"
            elif any(self._owners.get(digest, ("", ""))[0] in of_api for digest in key.secrets):
                yield f"key {'/'.join(path)!r}: its secret is that of a key made by the API"

    def _held(self, key: KeyRecord) -> WantedKey:
        return WantedKey(terms=key.terms, secrets=self._secrets[key.key_id])

    def _remove_keys(self) -> None:
        for path, key in self._keys.items():
            if key.managed_by != FILE:
                continue
            wanted = self._wanted.keys.get(path)
            if wanted is None:
                key_rows.remove_key(self._connection, key.key_id)
                self._changes.removed.append(f"key:{'/'.join(path)}")
                continue
            for digest in self._held(key).secrets.keys() - wanted.secrets.keys():
                key_rows.remove_secret(self._connection, digest)

    def _write_groups(self) -> None:
        for org, terms in self._wanted.orgs.items():
            old = self._orgs.get(org)
            if old is None or (old.managed_by, _terms(old)) != (FILE, terms):
                fresh = old or OrgRecord(org=org, cost_center="", managed_by=FILE, created_ns=self._now_ns, version=0)
                record = replace(fresh, **terms._asdict(), managed_by=FILE, version=fresh.version + 1)
                groups.write_org(self._connection, record)
                self._note(f"org:{org}", old)
        for (org, team), center in self._wanted.teams.items():
            old_team = self._teams.get((org, team))
            if old_team is None or (old_team.managed_by, old_team.cost_center) != (FILE, center):
                fresh_team = old_team or TeamRecord(
                    org=org, team=team, cost_center="", managed_by=FILE, created_ns=self._now_ns, version=0
                )
                group = replace(fresh_team, cost_center=center, managed_by=FILE, version=fresh_team.version + 1)
                groups.write_team(self._connection, group)
                self._note(f"team:{org}/{team}", old_team)

    def _write_keys(self) -> None:
        for path, wanted in self._wanted.keys.items():
            old = self._keys.get(path)
            if old is not None and self._held(old) == wanted:
                continue
            key = self._next_version(path, old, wanted)
            key_rows.write_key(self._connection, key)
            there = set() if old is None else set(self._held(old).secrets)
            for digest, prefix in wanted.secrets.items():
                if digest not in there:
                    key_rows.add_secret(self._connection, key.key_id, digest, prefix, self._now_ns)
            self._note(f"key:{'/'.join(path)}", old)

    def _next_version(self, path: KeyPath, old: KeyRecord | None, wanted: WantedKey) -> KeyRecord:
        if old is not None:
            return replace(old, terms=wanted.terms, version=old.version + 1)
        org, team, name = path
        return KeyRecord(
            key_id=new_id("key"),
            org=org,
            team=team,
            name=name,
            terms=wanted.terms,
            managed_by=FILE,
            created_ns=self._now_ns,
            revoked_ns=None,
            version=1,
        )

    def _remove_groups(self) -> None:
        """Teams and orgs that left the file go, unless the API has put something in them: those are let go of."""
        for (org, team), group in self._teams.items():
            if group.managed_by == FILE and (org, team) not in self._wanted.teams:
                groups.drop_or_let_go_of_team(self._connection, org, team)
                self._changes.removed.append(f"team:{org}/{team}")
        for org, tenant in self._orgs.items():
            if tenant.managed_by == FILE and org not in self._wanted.orgs:
                groups.drop_or_let_go_of_org(self._connection, org)
                self._changes.removed.append(f"org:{org}")

    def _note(self, what: str, old: object | None) -> None:
        (self._changes.added if old is None else self._changes.changed).append(what)


def _terms(org: OrgRecord) -> OrgTerms:
    return OrgTerms(org.cost_center, org.enforcement)
