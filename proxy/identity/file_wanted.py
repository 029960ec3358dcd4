"""What flyball.yaml wants of orgs, teams and keys: names checked, secrets fetched, all problems at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from proxy.core.secret import Secret
from proxy.core.tenant import LITELLM
from proxy.identity.digests import Digester
from proxy.identity.errors import IdentityError
from proxy.identity.names import NAME_RULE, is_name
from proxy.identity.records import Enforcement, KeyTerms
from proxy.identity.secret_text import shown_prefix, weakly_shaped, well_shaped
from proxy.identity.settings import KeySettings, OrgSettings

KeyPath: TypeAlias = tuple[str, str, str]
LAST_YEAR: Final = 2262
"""Nanoseconds since 1970 have 63 bits."""
SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_LONGEST_FILE: Final = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedKey:
    """A key of the file: its terms, and the digests of its secrets with the beginning that is shown."""

    terms: KeyTerms
    secrets: Mapping[bytes, str]


class OrgTerms(NamedTuple):
    """What can be said of an org."""

    cost_center: str
    enforcement: Enforcement = "enforce"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The file's orgs, teams and keys by name; the values of teams are cost centers."""

    orgs: dict[str, OrgTerms] = field(default_factory=dict)
    teams: dict[tuple[str, str], str] = field(default_factory=dict)
    keys: dict[KeyPath, WantedKey] = field(default_factory=dict)


def read_wanted(tenants: Sequence[OrgSettings], environ: Mapping[str, str], digester: Digester) -> Wanted:
    """Check the file's tenants and fetch their secrets.

    Raises:
        IdentityError: `invalid`, with one sentence per problem, none of which shows a secret.
    """
    reading = _Reading(environ, digester)
    for org in tenants:
        reading.org(org)
    if reading.problems:
        raise IdentityError("invalid", *reading.problems)
    return reading.wanted


class _Reading:
    def __init__(self, environ: Mapping[str, str], digester: Digester) -> None:
        self.wanted = Wanted()
        self.problems: list[str] = []
        self._environ = environ
        self._digester = digester
        self._users: dict[bytes, str] = {}

    def org(self, org: OrgSettings) -> None:
        self._name(f"org {org.org!r}", org.org, org.org in self.wanted.orgs)
        self.wanted.orgs[org.org] = OrgTerms(org.cost_center, org.enforcement)
        for team in org.teams:
            path = (org.org, team.team)
            self._name(f"team {'/'.join(path)!r}", team.team, path in self.wanted.teams)
            self.wanted.teams[path] = team.cost_center
            for key in team.keys:
                self._key((*path, key.name), key)

    def _key(self, path: KeyPath, key: KeySettings) -> None:
        what = f"key {'/'.join(path)!r}"
        self._name(what, key.name, path in self.wanted.keys)
        secrets: dict[bytes, str] = {}
        for digest, shown in self._digests(what, key):
            if digest in self._users:
                self.problems.append(f"{what}: its secret is that of {self._users[digest]} too")
            self._users[digest] = what
            secrets[digest] = shown
        if key.expires_at is not None and not 1970 <= key.expires_at.year < LAST_YEAR:
            self.problems.append(f"{what}: expires_at must lie between 1970 and {LAST_YEAR}")
        self.wanted.keys[path] = WantedKey(terms=_terms(key), secrets=secrets)

    def _digests(self, what: str, key: KeySettings) -> Iterator[tuple[bytes, str]]:
        """What each of its secrets is known by, and as what it is shown."""
        if key.key_sha256 is not None:
            if SHA256.fullmatch(key.key_sha256):
                yield self._digester.digest_of(bytes.fromhex(key.key_sha256)), f"sha256:{key.key_sha256[:6].lower()}…"
            else:
                self.problems.append(f"{what}: key_sha256 must have 64 hexadecimal digits")
        for secret in self._secrets(what, key):
            yield self._digester.digest(secret.reveal()), shown_prefix(secret)

    def _secrets(self, what: str, key: KeySettings) -> Iterator[Secret]:
        if key.key_env is None and key.key_file is None and key.key_sha256 is None:
            self.problems.append(f"{what}: has no secret; set key_env, key_file or key_sha256")
        for env, file, field_name in (
            (key.key_env, key.key_file, "key"),
            (key.next_key_env, key.next_key_file, "next_key"),
        ):
            if env is not None and file is not None:
                self.problems.append(f"{what}: {field_name}_env and {field_name}_file contradict; set one of them")
            elif env is not None:
                yield from self._shaped(what, f"the variable {env}", self._environ.get(env), weak=key.allow_weak)
            elif file is not None:
                yield from self._shaped(what, f"the file {file}", _first_line(file), weak=key.allow_weak)

    def _shaped(self, what: str, where: str, text: str | None, *, weak: bool) -> Iterator[Secret]:
        if not text:
            self.problems.append(f"{what}: {where} is not set or empty")
        elif weak and not weakly_shaped(text):
            self.problems.append(f"{what}: {where} does not hold 1 to 256 printable ASCII characters")
        elif not weak and not well_shaped(text):
            self.problems.append(
                f"{what}: {where} does not hold 20 to 256 printable ASCII characters without spaces (allow_weak takes "
                "shorter ones, and spaces)"
            )
        else:
            yield Secret(text)

    def _name(self, what: str, name: str, taken: bool) -> None:
        if not is_name(name):
            self.problems.append(f"{what}: a name {NAME_RULE}")
        if taken:
            self.problems.append(f"{what}: stands twice in the file")


def _terms(key: KeySettings) -> KeyTerms:
    return KeyTerms(
        owner=key.owner,
        cost_center=key.cost_center,
        models=tuple(key.models),
        agents=tuple(key.agents),
        tags=dict(key.tags),
        expires_ns=None if key.expires_at is None else _ns(key.expires_at),
        compat=(LITELLM,) if key.compat.litellm else (),
    )


def _ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000


def _first_line(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(_LONGEST_FILE)
    except OSError:
        return None
    return head.decode("utf-8", "replace").split("\n", 1)[0].strip()
