"""Named people on the admin port: their tokens, roles and the org or team they are bound to."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

from proxy.core.clock import Clock, SystemClock
from proxy.core.ids import new_id
from proxy.core.secret import Secret
from proxy.identity import names, records
from proxy.identity.digests import Digester
from proxy.identity.errors import IdentityError
from proxy.identity.names import PERSON_RULE, is_person
from proxy.identity.private_files import load_or_make_admin_token
from proxy.identity.records import AdminIdentity, IssuedToken, Role, TokenRecord
from proxy.identity.schema import ROOM, STEPS
from proxy.identity.secret_text import TOKEN_MARK, new_secret, shown_prefix, well_shaped
from proxy.state import StateFile, migrate

BOOTSTRAP: Final = "bootstrap"
GENERIC: Final = "The admin token is missing or not valid."


class AdminTokens:
    """Who may use the admin port. Methods block for a short disk access; changes hold from the next request on.

    `bootstrap` is the token of the file `admin-token`: an owner of that name who stands in no list.
    """

    Role: TypeAlias = records.Role
    Record: TypeAlias = records.TokenRecord
    Issued: TypeAlias = records.IssuedToken
    PERSON_PATTERN: Final = names.PERSON_PATTERN

    def __init__(
        self, state: StateFile, hash_key: bytes, *, bootstrap: Secret | None = None, clock: Clock | None = None
    ) -> None:
        self._state = state
        self._digester = Digester(hash_key)
        self._clock = clock or SystemClock()
        self._bootstrap = None if bootstrap is None else self._digester.digest(bootstrap.reveal())
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    @staticmethod
    def bootstrap_token(folder: Path) -> Secret:
        """The token in `admin-token` (0600) of the state folder, made on first start."""
        return load_or_make_admin_token(folder)

    def authenticate(self, token: str, now_ns: int) -> AdminIdentity:
        """Who a token stands for; raises IdentityError `not_found` with one text for every reason."""
        digest = self._digester.digest(token) if well_shaped(token) else b""
        if self._bootstrap is not None and digest == self._bootstrap:
            return AdminIdentity(name=BOOTSTRAP, role=Role.OWNER)
        with self._state.read() as connection:
            row = connection.execute("SELECT * FROM admin_tokens WHERE digest = ?", (digest,)).fetchone()
        record = None if row is None else _record(row)
        if record is None or (record.expires_ns is not None and now_ns >= record.expires_ns):
            raise IdentityError("not_found", GENERIC)
        return AdminIdentity(name=record.name, role=record.role, org=record.org, team=record.team)

    def tokens(
        self, *, org: str | None = None, team: str | None = None, after: str = "", limit: int
    ) -> list[TokenRecord]:
        """Tokens by name behind `after`, narrowed to those bound to an org and a team when given."""
        with self._state.read() as connection:
            rows = connection.execute(
                "SELECT * FROM admin_tokens WHERE name > ? AND (? IS NULL OR org = ?) AND (? IS NULL OR team = ?)"
                " ORDER BY name LIMIT ?",
                (after, org, org, team, team, limit),
            )
            return [_record(row) for row in rows]

    def token(self, name: str) -> TokenRecord:
        """One token by its name; raises `not_found`."""
        with self._state.read() as connection:
            return _named(connection, name)

    def create(
        self,
        name: str,
        role: Role,
        *,
        org: str | None = None,
        team: str | None = None,
        expires_ns: int | None = None,
        secret: Secret | None = None,
    ) -> IssuedToken:
        """Make a token for a named person; raises `exists` when the name is taken, `not_found` without that org."""
        self._check(name, org, team)
        fresh = secret or new_secret(TOKEN_MARK)
        record = TokenRecord(
            token_id=new_id("tok"),
            name=name,
            role=role,
            org=org,
            team=team,
            prefix=shown_prefix(fresh),
            created_ns=self._clock.now_ns(),
            expires_ns=expires_ns,
        )
        with self._state.change() as connection:
            if connection.execute("SELECT 1 FROM admin_tokens WHERE name = ?", (name,)).fetchone():
                raise IdentityError("exists", f"a token named {name} exists already", param="name")
            _check_binding(connection, org, team)
            _insert(connection, record, self._digester.digest(fresh.reveal()))
        return IssuedToken(token=record, secret=fresh)

    def delete(self, name: str) -> TokenRecord:
        """Revoke a token for good; gives back what it was."""
        with self._state.change() as connection:
            old = _named(connection, name)
            connection.execute("DELETE FROM admin_tokens WHERE name = ?", (name,))
        return old

    def _check(self, name: str, org: str | None, team: str | None) -> None:
        if not is_person(name):
            raise IdentityError("invalid", f"name {PERSON_RULE}", param="name")
        if name == BOOTSTRAP:
            raise IdentityError("invalid", "name 'bootstrap' is kept for the file token", param="name")
        if team is not None and org is None:
            raise IdentityError("invalid", "team needs its org", param="org")


def _check_binding(connection: sqlite3.Connection, org: str | None, team: str | None) -> None:
    if org is not None and not connection.execute("SELECT 1 FROM orgs WHERE org = ?", (org,)).fetchone():
        raise IdentityError("not_found", f"there is no org {org}", param="org")
    if team is not None:
        found = connection.execute("SELECT 1 FROM teams WHERE org = ? AND team = ?", (org, team)).fetchone()
        if not found:
            raise IdentityError("not_found", f"there is no team {org}/{team}", param="team")


def _insert(connection: sqlite3.Connection, record: TokenRecord, digest: bytes) -> None:
    connection.execute(
        "INSERT INTO admin_tokens (token_id, name, role, org, team, digest, prefix, created_ns, expires_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(record.token_id, record.name, record.role.value, record.org, record.team, digest),
            *(record.prefix, record.created_ns, record.expires_ns),
        ),
    )


def _named(connection: sqlite3.Connection, name: str) -> TokenRecord:
    row = connection.execute("SELECT * FROM admin_tokens WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise IdentityError("not_found", f"there is no token named {name}")
    return _record(row)


def _record(row: sqlite3.Row) -> TokenRecord:
    token_id, name, role, org, team, _, prefix, created_ns, expires_ns = row[:9]
    return TokenRecord(
        token_id=token_id,
        name=name,
        role=Role(role),
        org=org,
        team=team,
        prefix=prefix,
        created_ns=created_ns,
        expires_ns=expires_ns,
    )
