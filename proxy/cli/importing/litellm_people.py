"""LiteLLM's orgs, teams and keys, made tenants, budgets with what is already spent, and rate limits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias

from proxy.cli.importing.litellm_state import Key, Org, Record, State, Team
from proxy.cli.importing.source import Notes

Tree: TypeAlias = dict[str, object]
_LONGEST: Final = 64
_CALENDAR: Final = {
    "1m": "minute", "60s": "minute", "1h": "hour", "60m": "hour", "1d": "day", "24h": "day", "7d": "week", "1w": "week",
    "1mo": "month", "30d": "month", "31d": "month", "90d": "quarter", "3mo": "quarter", "365d": "year", "1y": "year",
}  # fmt: skip
_LENGTH: Final = re.compile(r"(\d+)([mhd])")
_ALL_MODELS: Final = frozenset({"all-proxy-models", "all-team-models", "*"})
_NO_MODELS: Final = "no-default-models"
_LOOSE: Final = "without a team"
_DOLLARS: Final = Decimal("0.000000001")


@dataclass(slots=True)
class People:
    """What became of them."""

    tenants: dict[str, dict[str, list[Tree]]] = field(default_factory=dict)
    """Org → team → keys."""
    budgets: list[Tree] = field(default_factory=list)
    rate_limits: list[Tree] = field(default_factory=list)


def read_people(state: State, default_org: str, notes: Notes) -> People:
    """Every org, team and key is carried, or told as left behind."""
    return _Moving(state, default_org, notes).people


class _Moving:
    def __init__(self, state: State, default_org: str, notes: Notes) -> None:
        self.people = People()
        self._notes = notes
        self._default_org = default_org
        self._names: set[str] = set()
        self._orgs = {org.organization_id: self._org(org) for org in state.organizations}
        self._teams: dict[str, tuple[str, str, Team]] = {}
        for team in state.teams:
            self._team(team)
        for key in state.keys:
            self._key(key)

    def _org(self, org: Org) -> str:
        name = self._named(org.organization_alias or org.organization_id, f"organization {org.organization_id}")
        self.people.tenants.setdefault(name, {})
        if org.litellm_budget_table is not None:
            table = org.litellm_budget_table
            org.max_budget, org.budget_duration = table.max_budget, table.budget_duration
            org.tpm_limit, org.rpm_limit = table.tpm_limit, table.rpm_limit
        self._limits(org, f"org:{name}", f"org-{name}")
        return name

    def _team(self, team: Team) -> None:
        org = self._orgs.get(team.organization_id or "", self._default_org)
        name = self._named(team.team_alias or team.team_id, f"team {team.team_id}")
        self._teams[team.team_id] = (org, name, team)
        self.people.tenants.setdefault(org, {}).setdefault(name, [])
        if team.blocked:
            self._tell(f"team {name}", "is blocked; its keys are left out")
        self._limits(team, f"team:{org}/{name}", f"team-{name}")

    def _key(self, key: Key) -> None:
        shown = key.key_alias or key.key_name or f"{key.token[:8]}…"
        org, team, of = self._teams.get(key.team_id or "", (self._default_org, "", None))
        if key.blocked or (of is not None and of.blocked):
            self._tell(f"key {shown}", "is blocked")
            return
        if not re.fullmatch(r"[0-9a-f]{64}", key.token):
            self._tell(f"key {shown}", "its hash is no SHA-256")
            return
        if not team:
            org = self._orgs.get(key.organization_id or "", org)
            team = self._named("default", f"keys {_LOOSE}")
        models = _models(key, of)
        if models is None:
            self._tell(f"key {shown}", "may use no models")
            return
        keys = self.people.tenants.setdefault(org, {}).setdefault(team, [])
        name = self._free(self._named(key.key_alias or f"key-{key.token[:8]}", f"key {shown}"), keys)
        keys.append(_key(key, name, models))
        self._limits(key, f"key:{org}/{team}/{name}", f"key-{team}-{name}")
        self._per_model(key, f"key:{org}/{team}/{name}", f"key-{team}-{name}")

    def _limits(self, record: Record, scope: str, stem: str) -> None:
        if record.max_budget is not None:
            self._budget(stem, scope, record.max_budget, record.budget_duration, record.spend, ())
        for name, limit in (("requests", record.rpm_limit), ("tokens", record.tpm_limit)):
            if limit is not None:
                self._rate({"name": f"{stem}-{name}", "scope": scope, f"limit_{name}": limit, "window": "minute"})
        if record.max_parallel_requests is not None:
            self._rate({"name": f"{stem}-at-once", "scope": scope, "limit_concurrent": record.max_parallel_requests})

    def _per_model(self, key: Key, scope: str, stem: str) -> None:
        for number, (model, told) in enumerate((key.model_max_budget or {}).items(), 1):
            limit = told.get("budget_limit", told.get("max_budget")) if isinstance(told, dict) else told
            duration = told.get("time_period", told.get("budget_duration")) if isinstance(told, dict) else None
            if isinstance(limit, int | float | str):
                self._budget(f"{stem}-model-{number}", scope, float(limit), duration, 0.0, (model,))

    def _budget(
        self, name: str, scope: str, limit: float, duration: str | None, spent: float, models: tuple[str, ...]
    ) -> None:
        window, why = _window(duration)
        if why:
            self._tell(f"budget of {scope}", why)
        entry: Tree = {"name": self._unused(name), "scope": scope, "limit_usd": _usd(limit), **window}
        if spent:
            entry["opening_spent_usd"] = _usd(spent)
        if models:
            entry["models"] = list(models)
        self.people.budgets.append(entry)

    def _rate(self, entry: Tree) -> None:
        self.people.rate_limits.append({**entry, "name": self._unused(str(entry["name"]))})

    def _named(self, wanted: str, what: str) -> str:
        """A name that may stand here: letters, digits, dots, dashes and underscores."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("-._")[:_LONGEST] or "unnamed"
        if plain != wanted and what.split()[0] != "keys":
            self._tell(what, f"is called {plain!r} here; {wanted!r} is no name that can stand in a scope")
        return plain

    def _free(self, name: str, keys: list[Tree]) -> str:
        taken = {key["name"] for key in keys}
        return next(each for each in _numbered(name) if each not in taken)

    def _unused(self, name: str) -> str:
        found = next(each for each in _numbered(name) if each not in self._names)
        self._names.add(found)
        return found

    def _tell(self, what: str, why: str) -> None:
        self._notes.add("state", what, why)


def _key(key: Key, name: str, models: list[str]) -> Tree:
    entry: Tree = {"name": name, "key_sha256": key.token}
    if key.user_id:
        entry["owner"] = key.user_id
    if models:
        entry["models"] = models
    if key.expires:
        entry["expires_at"] = key.expires
    tags = (key.metadata or {}).get("tags")
    pinned = dict(_tag(tag) for tag in tags if isinstance(tag, str) and tag) if isinstance(tags, list) else {}
    if pinned:
        entry["tags"] = pinned
    return entry


def _tag(tag: str) -> tuple[str, str]:
    """LiteLLM's tags are words; `name:value` and `name=value` are read as what they say."""
    name, sign, value = tag.partition("=" if "=" in tag else ":")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_LONGEST]
    return (plain, value) if sign else (plain, "true")


def _models(key: Key, team: Team | None) -> list[str] | None:
    """The models that a key may use, its team's where it has none of its own; empty for all, None for none."""
    for names in (key.models or [], (team.models if team is not None else None) or []):
        if _NO_MODELS in names:
            return None
        named = [name for name in names if name not in _ALL_MODELS]
        if named:
            return named
    return []


def _window(duration: str | None) -> tuple[Tree, str]:
    """The window of a budget, and what is otherwise about it."""
    if not duration:
        return {"window": "total"}, ""
    if (window := _CALENDAR.get(duration)) is not None:
        counted = duration in ("30d", "31d", "90d", "365d")
        return {"window": window}, f"starts over with each {window} of the calendar, not every {duration}" * counted
    if _LENGTH.fullmatch(duration):
        return {"window": "rolling", "length": duration}, f"rolls over the last {duration}"
    return {"window": "month"}, f"starts over each month: {duration!r} is not understood"


def _usd(amount: float) -> Decimal:
    """Dollars, to the nano-dollar: LiteLLM keeps them as floats."""
    return Decimal(repr(amount)).quantize(_DOLLARS).normalize()


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 100_000):
        yield f"{name[: _LONGEST - 6]}-{number}"
