"""Orgs, teams and keys in the state file: who may change what, and how."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from proxy.core.clock import Clock, SystemClock
from proxy.core.ids import new_id
from proxy.core.secret import Secret
from proxy.identity import groups, key_rows, names, preconditions, records
from proxy.identity.digests import Digester
from proxy.identity.errors import IdentityError
from proxy.identity.file_sync import FileChanges, FileSync
from proxy.identity.file_wanted import read_wanted
from proxy.identity.keyring import Keyring
from proxy.identity.names import NAME_RULE, is_name
from proxy.identity.preconditions import check_not_of_file, check_version
from proxy.identity.private_files import write_private
from proxy.identity.records import Enforcement, Issued, KeyRecord, KeyTerms, OrgRecord, TeamRecord
from proxy.identity.schema import ROOM, STEPS
from proxy.identity.secret_text import new_secret, shown_prefix, well_shaped
from proxy.identity.settings import OrgSettings
from proxy.state import StateFile, migrate

FIRST_KEY_FILE: Final = "first-key"
T = TypeVar("T")
SHAPE_RULE: Final = "a secret has 20 to 256 printable ASCII characters without spaces"


class KeyStore:
    """The one place where orgs, teams and keys are changed; every change makes workers reload their Keyring.

    Methods block for a short disk access, and raise IdentityError when they change nothing. `expect` is the
    version a thing must be at: None for any, 0 for not there yet, -1 for any but there.
    """

    Org: TypeAlias = records.OrgRecord
    Team: TypeAlias = records.TeamRecord
    Key: TypeAlias = records.KeyRecord
    Terms: TypeAlias = records.KeyTerms
    Issued: TypeAlias = records.Issued
    MUST_EXIST: Final = preconditions.MUST_EXIST
    MUST_NOT_EXIST: Final = preconditions.MUST_NOT_EXIST
    NEVER_MATCHES: Final = preconditions.NEVER_MATCHES
    NAME_PATTERN: Final = names.NAME_PATTERN

    def __init__(self, state: StateFile, hash_key: bytes, *, clock: Clock | None = None) -> None:
        self._state = state
        self._digester = Digester(hash_key)
        self._clock = clock or SystemClock()
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def load(self) -> Keyring:
        """The snapshot that workers authenticate against."""
        generation = self._state.generation()  # read first: a change in between is met again, never missed
        with self._state.read() as connection:
            return Keyring(self._digester, key_rows.openings(connection), generation)

    def sync_from_file(self, tenants: Sequence[OrgSettings], environ: Mapping[str, str] | None = None) -> FileChanges:
        """Make the file's orgs, teams and keys what the file says, and remove what left it; API-made ones stay.

        Raises:
            IdentityError: `invalid`, with every problem: bad names, missing secrets, names made by the API too.
        """
        wanted = read_wanted(tenants, os.environ if environ is None else environ, self._digester)
        now_ns = self._clock.now_ns()
        with self._state.read() as connection:
            if FileSync(connection, wanted, now_ns).settled():
                return FileChanges()
        with self._state.change() as connection:
            return FileSync(connection, wanted, now_ns).apply()

    def first_key(self, folder: Path) -> Path | None:
        """Make `first-key` (0600) for org `default` when there is no key at all; None when there are keys.

        The file is written before the key is, so that no key ever exists whose secret nobody has.
        """
        path, secret = folder / FIRST_KEY_FILE, new_secret()
        with self._state.change() as connection:
            if key_rows.digests(connection):
                return None
            path.unlink(missing_ok=True)
            write_private(path, secret.reveal())
            self._make_group(connection, "default", "default")
            self._insert_key(connection, ("default", "default", "first-key"), KeyTerms(), secret)
        return path

    # orgs and teams

    def org(self, org: str) -> OrgRecord:
        """One org; raises `not_found`."""
        with self._state.read() as connection:
            return _found(groups.find_org(connection, org), f"org {org}")

    def orgs(self, *, only: str | None = None, after: str = "", limit: int) -> list[OrgRecord]:
        """Orgs by name behind `after`, narrowed to one when `only` is given."""
        with self._state.read() as connection:
            return groups.orgs_after(connection, after, only, limit)

    def observing(self) -> frozenset[str]:
        """The orgs whose enforcement is observe."""
        with self._state.read() as connection:
            return groups.observing_orgs(connection)

    def put_org(
        self, org: str, *, cost_center: str, enforcement: Enforcement = "enforce", expect: int | None = None
    ) -> OrgRecord:
        """Make an org or replace what is said of it."""
        what = f"org {org}"
        _check_name(org, "org")
        with self._state.change() as connection:
            old = groups.find_org(connection, org)
            check_version(what, None if old is None else old.version, expect)
            if old is not None:
                check_not_of_file(what, old.managed_by)
            made = OrgRecord(
                org=org,
                cost_center=cost_center,
                managed_by="api",
                created_ns=old.created_ns if old else self._clock.now_ns(),
                version=old.version + 1 if old else 1,
                enforcement=enforcement,
            )
            groups.write_org(connection, made)
        return made

    def delete_org(self, org: str, *, expect: int | None = None) -> OrgRecord:
        """Delete an org without teams; gives back what it was."""
        with self._state.change() as connection:
            old = _found(groups.find_org(connection, org), f"org {org}")
            check_version(f"org {org}", old.version, expect)
            check_not_of_file(f"org {org}", old.managed_by)
            groups.remove_org(connection, org)
        return old

    def team(self, org: str, team: str) -> TeamRecord:
        """One team; raises `not_found`."""
        with self._state.read() as connection:
            return _found(groups.find_team(connection, org, team), f"team {org}/{team}")

    def teams(
        self, *, org: str | None = None, team: str | None = None, after: tuple[str, str] = ("", ""), limit: int
    ) -> list[TeamRecord]:
        """Teams by org and name behind `after`, narrowed to an org and a team when given."""
        with self._state.read() as connection:
            return groups.teams_after(connection, after, (org, team), limit)

    def put_team(self, org: str, team: str, *, cost_center: str, expect: int | None = None) -> TeamRecord:
        """Make a team in an org that exists, or replace what is said of it."""
        what = f"team {org}/{team}"
        _check_name(team, "team")
        with self._state.change() as connection:
            _found(groups.find_org(connection, org), f"org {org}")
            old = groups.find_team(connection, org, team)
            check_version(what, None if old is None else old.version, expect)
            if old is not None:
                check_not_of_file(what, old.managed_by)
            made = TeamRecord(
                org=org,
                team=team,
                cost_center=cost_center,
                managed_by="api",
                created_ns=old.created_ns if old else self._clock.now_ns(),
                version=old.version + 1 if old else 1,
            )
            groups.write_team(connection, made)
        return made

    def delete_team(self, org: str, team: str, *, expect: int | None = None) -> TeamRecord:
        """Delete a team without keys; gives back what it was."""
        what = f"team {org}/{team}"
        with self._state.change() as connection:
            old = _found(groups.find_team(connection, org, team), what)
            check_version(what, old.version, expect)
            check_not_of_file(what, old.managed_by)
            groups.remove_team(connection, org, team)
        return old

    # keys

    def key(self, key_id: str) -> KeyRecord:
        """One key by its id; raises `not_found`."""
        with self._state.read() as connection:
            return _found(key_rows.find_key(connection, key_id), f"key {key_id}")

    def named_key(self, org: str, team: str, name: str) -> KeyRecord:
        """One key by its natural name; raises `not_found`."""
        with self._state.read() as connection:
            return _found(key_rows.find_named_key(connection, org, team, name), f"key {org}/{team}/{name}")

    def keys(
        self,
        *,
        org: str | None = None,
        team: str | None = None,
        after: tuple[str, str, str] = ("", "", ""),
        limit: int,
    ) -> list[KeyRecord]:
        """Keys by org, team and name behind `after`, narrowed to an org and a team when given."""
        with self._state.read() as connection:
            return key_rows.keys_after(connection, after, (org, team), limit)

    def create_key(self, org: str, team: str, name: str, terms: KeyTerms, *, secret: Secret | None = None) -> Issued:
        """Make a key with a fresh secret, or the one brought along; raises `exists` when the name is taken."""
        _check_name(name, "name")
        with self._state.change() as connection:
            _found(groups.find_team(connection, org, team), f"team {org}/{team}")
            if key_rows.find_named_key(connection, org, team, name) is not None:
                raise IdentityError("exists", f"key {org}/{team}/{name} exists already", param="name")
            return self._insert_key(connection, (org, team, name), terms, _or_new(secret))

    def change_key(self, key_id: str, terms: KeyTerms, *, expect: int | None = None) -> KeyRecord:
        """Replace all that can be changed of a key; its secrets stay."""
        with self._changing(key_id, expect) as (connection, old):
            key_rows.write_key(connection, replace(old, terms=terms, version=old.version + 1))
            return _found(key_rows.find_key(connection, key_id), f"key {key_id}")

    def rotate(self, key_id: str, *, secret: Secret | None = None, old_expires_ns: int | None = None) -> Issued:
        """Give a key a second live secret; `old_expires_ns` says when the first one ends.

        Raises:
            IdentityError: `in_use` while two are live, `revoked` when the whole key was.
        """
        with self._changing(key_id, None) as (connection, old):
            if old.revoked_ns is not None:
                raise IdentityError("revoked", f"key {old.org}/{old.team}/{old.name} was revoked; make a new one")
            now_ns = self._clock.now_ns()
            live = [str(each.number) for each in old.secrets if each.live(now_ns)]
            if len(live) >= key_rows.MOST_LIVE:
                raise IdentityError("in_use", f"secrets {' and '.join(live)} are live; revoke one of them first")
            if old_expires_ns is not None:
                key_rows.retire_secrets(connection, key_id, old_expires_ns)
            fresh = _or_new(secret)
            self._add_secret(connection, key_id, fresh)
            key_rows.write_key(connection, replace(old, version=old.version + 1))
            return Issued(key=_found(key_rows.find_key(connection, key_id), key_id), secret=fresh)

    def revoke(self, key_id: str, *, number: int | None = None) -> KeyRecord:
        """Revoke one secret by its number, or the whole key for good; revoking again changes nothing."""
        with self._changing(key_id, None) as (connection, old):
            if number is not None and number not in {each.number for each in old.secrets}:
                raise IdentityError("not_found", f"key {key_id} has no secret number {number}", param="secret")
            now_ns = self._clock.now_ns()
            key_rows.revoke_secrets(connection, key_id, number, now_ns)
            whole = now_ns if number is None and old.revoked_ns is None else old.revoked_ns
            key_rows.write_key(connection, replace(old, revoked_ns=whole, version=old.version + 1))
            return _found(key_rows.find_key(connection, key_id), f"key {key_id}")

    def delete_key(self, key_id: str, *, expect: int | None = None) -> KeyRecord:
        """Delete a key and its secrets; gives back what it was. Its rows in the telemetry stay."""
        with self._changing(key_id, expect) as (connection, old):
            key_rows.remove_key(connection, key_id)
        return old

    @contextmanager
    def _changing(self, key_id: str, expect: int | None) -> Iterator[tuple[sqlite3.Connection, KeyRecord]]:
        with self._state.change() as connection:
            old = _found(key_rows.find_key(connection, key_id), f"key {key_id}")
            what = f"key {old.org}/{old.team}/{old.name}"
            check_version(what, old.version, expect)
            check_not_of_file(what, old.managed_by)
            yield connection, old

    def _insert_key(
        self, connection: sqlite3.Connection, path: tuple[str, str, str], terms: KeyTerms, secret: Secret
    ) -> Issued:
        org, team, name = path
        key = KeyRecord(
            key_id=new_id("key"),
            org=org,
            team=team,
            name=name,
            terms=terms,
            managed_by="api",
            created_ns=self._clock.now_ns(),
            revoked_ns=None,
            version=1,
        )
        key_rows.write_key(connection, key)
        self._add_secret(connection, key.key_id, secret)
        return Issued(key=_found(key_rows.find_key(connection, key.key_id), key.key_id), secret=secret)

    def _add_secret(self, connection: sqlite3.Connection, key_id: str, secret: Secret) -> None:
        digest = self._digester.digest(secret.reveal())
        key_rows.add_secret(connection, key_id, digest, shown_prefix(secret), self._clock.now_ns())

    def _make_group(self, connection: sqlite3.Connection, org: str, team: str) -> None:
        now_ns = self._clock.now_ns()
        if groups.find_org(connection, org) is None:
            groups.write_org(
                connection, OrgRecord(org=org, cost_center="", managed_by="api", created_ns=now_ns, version=1)
            )
        if groups.find_team(connection, org, team) is None:
            groups.write_team(
                connection,
                TeamRecord(org=org, team=team, cost_center="", managed_by="api", created_ns=now_ns, version=1),
            )


def _or_new(secret: Secret | None) -> Secret:
    if secret is None:
        return new_secret()
    if not well_shaped(secret.reveal()):
        raise IdentityError("invalid", SHAPE_RULE, param="secret")
    return secret


def _check_name(name: str, param: str) -> None:
    if not is_name(name):
        raise IdentityError("invalid", f"{param} {NAME_RULE}", param=param)


def _found(record: T | None, what: str) -> T:
    if record is None:
        raise IdentityError("not_found", f"there is no {what}")
    return record
