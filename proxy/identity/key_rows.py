"""Keys and their secrets in the state file: plain functions over a connection, the caller holds the transaction."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from proxy.core.tenant import Principal
from proxy.identity.errors import IdentityError
from proxy.identity.keyring import NEVER, Opening
from proxy.identity.records import KeyRecord, KeyTerms, SecretRecord

MOST_LIVE: Final = 2
BY_ONE: Final = 1024
"""Up to so many keys their secrets are fetched key by key, beyond it all at once."""


def find_key(connection: sqlite3.Connection, key_id: str) -> KeyRecord | None:
    """One key by its id."""
    rows = connection.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchall()
    return next(iter(_keys(connection, rows)), None)


def find_named_key(connection: sqlite3.Connection, org: str, team: str, name: str) -> KeyRecord | None:
    """One key by its natural name."""
    rows = connection.execute(
        "SELECT * FROM keys WHERE org = ? AND team = ? AND name = ?", (org, team, name)
    ).fetchall()
    return next(iter(_keys(connection, rows)), None)


def keys_after(
    connection: sqlite3.Connection, after: tuple[str, str, str], only: tuple[str | None, str | None], limit: int
) -> list[KeyRecord]:
    """Keys by org, team and name, from the first one behind `after`; `only` narrows to an org and a team."""
    org, team = only
    rows = connection.execute(
        "SELECT * FROM keys WHERE (org, team, name) > (?, ?, ?) AND (? IS NULL OR org = ?)"
        " AND (? IS NULL OR team = ?) ORDER BY org, team, name LIMIT ?",
        (*after, org, org, team, team, limit),
    ).fetchall()
    return _keys(connection, rows)


def write_key(connection: sqlite3.Connection, key: KeyRecord) -> None:
    """Insert or replace a key as given, without its secrets; its team must exist."""
    terms = key.terms
    connection.execute(
        "INSERT INTO keys (key_id, org, team, name, owner, cost_center, models, agents, tags, expires_ns, managed_by,"
        " created_ns, revoked_ns, version, compat) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (key_id) DO UPDATE SET owner = excluded.owner, cost_center = excluded.cost_center,"
        " models = excluded.models, agents = excluded.agents, tags = excluded.tags, expires_ns = excluded.expires_ns,"
        " revoked_ns = excluded.revoked_ns, version = excluded.version, compat = excluded.compat",
        (
            *(key.key_id, key.org, key.team, key.name, terms.owner, terms.cost_center),
            *(json.dumps(terms.models), json.dumps(terms.agents), json.dumps(dict(terms.tags), sort_keys=True)),
            *(terms.expires_ns, key.managed_by, key.created_ns, key.revoked_ns, key.version),
            json.dumps(terms.compat),
        ),
    )


def remove_key(connection: sqlite3.Connection, key_id: str) -> None:
    """Delete a key and its secrets."""
    connection.execute("DELETE FROM key_secrets WHERE key_id = ?", (key_id,))
    connection.execute("DELETE FROM keys WHERE key_id = ?", (key_id,))


def add_secret(connection: sqlite3.Connection, key_id: str, digest: bytes, prefix: str, now_ns: int) -> None:
    """Give a key one more secret under the next number; raises `exists` when it is in use anywhere."""
    if connection.execute("SELECT 1 FROM key_secrets WHERE digest = ?", (digest,)).fetchone():
        raise IdentityError("exists", "this secret cannot be used; choose another one", param="secret")
    connection.execute(
        "INSERT INTO key_secrets (digest, key_id, number, prefix, created_ns)"
        " SELECT ?, ?, coalesce(max(number), 0) + 1, ?, ? FROM key_secrets WHERE key_id = ?",
        (digest, key_id, prefix, now_ns, key_id),
    )


def retire_secrets(connection: sqlite3.Connection, key_id: str, expires_ns: int) -> None:
    """Let every live secret of a key end at this time, or earlier where that was said before."""
    connection.execute(
        "UPDATE key_secrets SET expires_ns = min(coalesce(expires_ns, ?), ?) WHERE key_id = ? AND revoked_ns IS NULL",
        (NEVER, expires_ns, key_id),
    )


def revoke_secrets(connection: sqlite3.Connection, key_id: str, number: int | None, now_ns: int) -> None:
    """Revoke one secret of a key, or all when no number is given."""
    connection.execute(
        "UPDATE key_secrets SET revoked_ns = ? WHERE key_id = ? AND revoked_ns IS NULL AND (? IS NULL OR number = ?)",
        (now_ns, key_id, number, number),
    )


def remove_secret(connection: sqlite3.Connection, digest: bytes) -> None:
    """Forget one secret."""
    connection.execute("DELETE FROM key_secrets WHERE digest = ?", (digest,))


def digests(connection: sqlite3.Connection) -> dict[bytes, tuple[str, str]]:
    """Every secret's digest with the id of its key and its shown beginning."""
    rows = connection.execute("SELECT digest, key_id, prefix FROM key_secrets")
    return {digest: (key_id, prefix) for digest, key_id, prefix in rows}


def openings(connection: sqlite3.Connection) -> dict[bytes, Opening]:
    """What every digest opens: the content of a Keyring. Straight from the columns: there may be many thousands."""
    principals: dict[str, Principal] = {}
    found = {}
    for digest, expires_ns, revoked, *key in connection.execute(
        "SELECT s.digest, min(coalesce(s.expires_ns, ?1), coalesce(k.expires_ns, ?1)),"
        " s.revoked_ns IS NOT NULL OR k.revoked_ns IS NOT NULL, k.key_id, k.org, k.team, k.name,"
        " coalesce(nullif(k.cost_center, ''), nullif(t.cost_center, ''), o.cost_center), k.owner, k.models, k.agents,"
        " k.tags, k.compat FROM key_secrets AS s JOIN keys AS k USING (key_id) JOIN teams AS t USING (org, team)"
        " JOIN orgs AS o USING (org)",
        (NEVER,),
    ):
        principal = principals.get(key[0])
        if principal is None:
            principal = principals[key[0]] = _principal(*key)
        found[digest] = Opening(principal=principal, expires_ns=expires_ns, revoked=bool(revoked))
    return found


def _principal(
    key_id: str,
    org: str,
    team: str,
    name: str,
    center: str,
    owner: str,
    models: str,
    agents: str,
    tags: str,
    compat: str,
) -> Principal:
    return Principal(
        org=org,
        team=team,
        key_id=key_id,
        key_name=name,
        cost_center=center,
        owner=owner,
        models=_words(models),
        agents=_words(agents),
        tags={} if tags == "{}" else json.loads(tags),
        compat=_words(compat),
    )


def _words(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(json.loads(text))


def _keys(connection: sqlite3.Connection, rows: list[sqlite3.Row]) -> list[KeyRecord]:
    secrets: defaultdict[str, list[SecretRecord]] = defaultdict(list)
    for key_id, *row in _secret_rows(connection, [row[0] for row in rows]):
        secrets[key_id].append(_secret(row))
    return [_key(row, tuple(secrets[row[0]])) for row in rows]


def _secret_rows(connection: sqlite3.Connection, key_ids: list[str]) -> Iterator[sqlite3.Row]:
    if len(key_ids) > BY_ONE:
        yield from connection.execute(
            "SELECT key_id, number, prefix, created_ns, expires_ns, revoked_ns FROM key_secrets ORDER BY key_id, number"
        )
        return
    for key_id in key_ids:
        yield from connection.execute(
            "SELECT key_id, number, prefix, created_ns, expires_ns, revoked_ns FROM key_secrets"
            " WHERE key_id = ? ORDER BY number",
            (key_id,),
        )


def _secret(row: list[Any]) -> SecretRecord:
    number, prefix, created_ns, expires_ns, revoked_ns = row
    return SecretRecord(
        number=number, prefix=prefix, created_ns=created_ns, expires_ns=expires_ns, revoked_ns=revoked_ns
    )


def _key(row: sqlite3.Row, secrets: tuple[SecretRecord, ...]) -> KeyRecord:
    key_id, org, team, name, owner, cost_center, models, agents, tags, expires_ns, managed_by, *rest = row
    created_ns, revoked_ns, version, compat = rest[:4]
    terms = KeyTerms(
        owner=owner,
        cost_center=cost_center,
        models=_words(models),
        agents=_words(agents),
        tags=json.loads(tags),
        expires_ns=expires_ns,
        compat=_words(compat),
    )
    return KeyRecord(
        key_id=key_id,
        org=org,
        team=team,
        name=name,
        terms=terms,
        managed_by=managed_by,
        created_ns=created_ns,
        revoked_ns=revoked_ns,
        version=version,
        secrets=secrets,
    )
