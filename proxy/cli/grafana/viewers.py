"""Users of a ClickHouse server who read the rows of one org, or of one team: the statements that make them.

One row policy for each kind compares a row's org with the name of the user who asks: `org:acme` reads where `org` is
acme. It holds for every table there is or will be; a table that has no such column cannot be read by them at all. So
nothing needs to follow orgs that are made later but the user itself.
"""

import hashlib
from typing import Final

_KINDS: Final = {"org": "concat('org:', org)", "team": "concat('team:', org, '/', team)"}
# Not for those who read one org: what was said (payloads), and who changed what (audit).
_WITHHELD: Final = ("audit", "payloads", "schema_migrations")
_BOUNDS: Final = """SETTINGS
    readonly = 1,
    max_execution_time = 60 MIN 1 MAX 60 CHANGEABLE_IN_READONLY,
    max_memory_usage = 4000000000,
    max_result_bytes = 268435456,
    max_concurrent_queries_for_user = 32"""


def viewer_roles(database: str = "flyball") -> list[str]:
    """What all viewers share: roles, bounds and row policies. May be run again, also by a newer Flyball."""
    return [statement for kind in _KINDS for statement in _role(kind, quoted(database))]


def viewer_user(org: str, team: str, password: str) -> list[str]:
    """The user of one org, or of one of its teams where `team` is not empty; run again it takes the password anew."""
    kind, name = ("team", f"team:{org}/{team}") if team else ("org", f"org:{org}")
    user, secret = quoted(name), hashlib.sha256(password.encode()).hexdigest()
    return [
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED WITH sha256_hash BY '{secret}'",
        f"ALTER USER {user} IDENTIFIED WITH sha256_hash BY '{secret}'",
        f"GRANT {_named(kind)} TO {user}",
        f"SET DEFAULT ROLE {_named(kind)} TO {user}",
    ]


def quoted(name: str) -> str:
    """A name as ClickHouse reads it, whatever it is made of."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _named(kind: str) -> str:
    return f"flyball_{kind}_viewer"


def _role(kind: str, database: str) -> list[str]:
    role, whose = _named(kind), _KINDS[kind]
    withheld = [f"REVOKE SELECT ON {database}.{table} FROM {role}" for table in _WITHHELD]  # noqa: S608 - a quoted name
    return [
        f"CREATE ROLE IF NOT EXISTS {role}",
        f"CREATE SETTINGS PROFILE OR REPLACE {role} {_BOUNDS}\n    TO {role}",
        f"CREATE ROW POLICY OR REPLACE {role} ON {database}.* FOR SELECT\n    USING {whose} = currentUser() TO {role}",
        f"GRANT SELECT ON {database}.* TO {role}",
        *withheld,
    ]
