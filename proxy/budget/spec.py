"""A budget as people state it, checked: in flyball.yaml and in the admin API by the same words."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeAlias

from proxy.budget.clock_windows import length_of
from proxy.budget.ledger import Unit
from proxy.budget.scopes import is_pattern, is_scope
from proxy.budget.settings import BudgetEntry
from proxy.budget.windows import WindowKind, zone_of
from proxy.core.money import ZERO, Nano, NotMoney, exact_usd

TokenKind: TypeAlias = Literal["total", "input", "output"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_MOST: Final = 10**18
_LONGEST_PATTERN: Final = 200
_SCOPES: Final = (
    "org:acme, team:acme/support, key:acme/support/bot, agent:acme/a, user:acme/u1, run:acme/r, tag:acme/k=v, "
    "or * in the place of the last name"
)
TOKEN_UNITS: Final[dict[TokenKind, Unit]] = {
    "total": Unit.TOKENS,
    "input": Unit.INPUT_TOKENS,
    "output": Unit.OUTPUT_TOKENS,
}
LIMIT_FIELDS: Final = {
    Unit.USD: "limit_usd",
    Unit.TOKENS: "limit_tokens",
    Unit.INPUT_TOKENS: "limit_tokens",
    Unit.OUTPUT_TOKENS: "limit_tokens",
    Unit.REQUESTS: "limit_requests",
}
"""What a limit is called where people write it, by what it counts."""


class BadBudget(ValueError):
    """A budget that cannot be meant as it stands; `field` names what is wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Limit(NamedTuple):
    """How much, and of what: nano-dollars, tokens or requests."""

    unit: Unit
    amount: Nano


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetSpec:
    """A budget as flyball.yaml or the admin API states it; `name` is unique among all budgets.

    `limit` is in nano-dollars, or in whole units where `unit` says so. `opening_spent` are nano-dollars spent before
    Flyball, in the window in which they are first said. `length_s` is how long a rolling window is, and 0 for every
    other. `models` are glob patterns of the model names asked for: only such calls are counted; empty counts all.

    Raises:
        BadBudget: bad name, scope, limit, window, timezone or amount.
    """

    name: str
    scope: str
    limit: Nano
    unit: Unit = Unit.USD
    window: WindowKind = WindowKind.MONTH
    length_s: int = 0
    timezone: str = "UTC"
    hard: bool = True
    opening_spent: Nano = ZERO
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadBudget("name", f"{self.name!r} is no name: 1 to 128 letters, digits or . _ : @ -")
        if not is_scope(self.scope):
            raise BadBudget("scope", f"{self.scope!r} is no scope: {_SCOPES}")
        if not all(0 < len(pattern) <= _LONGEST_PATTERN for pattern in self.models):
            raise BadBudget("models", f"a model pattern of {self.name} has 1 to {_LONGEST_PATTERN} characters")
        self._check_amounts()
        if (self.window is WindowKind.ROLLING) != bool(self.length_s):
            raise BadBudget("length", f"a rolling window needs a length, and no other one has any ({self.name})")
        try:
            zone_of(self.timezone)
        except ValueError as error:
            raise BadBudget("timezone", str(error)) from None

    def _check_amounts(self) -> None:
        if not 0 <= self.limit <= _MOST:
            most = "a billion dollars" if self.unit is Unit.USD else f"{_MOST:,}"
            raise BadBudget(LIMIT_FIELDS[self.unit], f"the limit of {self.name} must be between 0 and {most}")
        if not 0 <= self.opening_spent <= _MOST:
            raise BadBudget("opening_spent_usd", f"the opening spend of {self.name} must not be negative or absurd")
        if self.opening_spent and is_pattern(self.scope):
            raise BadBudget("opening_spent_usd", f"{self.name} is for many scopes, so none can have spent before")
        if self.opening_spent and self.unit is not Unit.USD:
            raise BadBudget("opening_spent_usd", f"{self.name} does not count dollars, so none were spent of it")


def spec_of(entry: BudgetEntry) -> BudgetSpec:
    """A budget of flyball.yaml, or of an admin API body, checked and in nano-dollars.

    Raises:
        BadBudget: it cannot be meant as it stands.
    """
    limit = limit_of(entry.limit_usd, entry.limit_tokens, entry.limit_requests, entry.tokens)
    return BudgetSpec(
        name=entry.name,
        scope=entry.scope,
        limit=limit.amount,
        unit=limit.unit,
        window=WindowKind(entry.window),
        length_s=length_read(entry.length),
        timezone=entry.timezone,
        hard=entry.hard,
        opening_spent=_money("opening_spent_usd", entry.opening_spent_usd),
        models=tuple(entry.models),
    )


def limit_of(usd: Decimal | None, tokens: int | None, requests: int | None, kind: TokenKind) -> Limit:
    """The one limit that a budget states.

    Raises:
        BadBudget: none, or more than one, or no exact amount.
    """
    if (usd is not None) + (tokens is not None) + (requests is not None) != 1:
        raise BadBudget("limit_usd", "a budget states exactly one of limit_usd, limit_tokens and limit_requests")
    if tokens is None and kind != "total":
        raise BadBudget("tokens", f"tokens: {kind} is for a budget that states limit_tokens")
    if usd is not None:
        return Limit(Unit.USD, _money("limit_usd", usd))
    if tokens is not None:
        return Limit(TOKEN_UNITS[kind], Nano(tokens))
    return Limit(Unit.REQUESTS, Nano(requests or 0))


def token_kind(unit: Unit) -> TokenKind | None:
    """Which tokens a unit counts; None for what is no tokens."""
    return next((kind for kind, each in TOKEN_UNITS.items() if each is unit), None)


def length_read(text: str) -> int:
    """A rolling window's length in seconds, 0 for none.

    Raises:
        BadBudget: not such a length.
    """
    try:
        return length_of(text) if text else 0
    except ValueError as error:
        raise BadBudget("length", str(error)) from None


def _money(field: str, dollars: Decimal) -> Nano:
    try:
        return exact_usd(dollars)
    except NotMoney as error:
        raise BadBudget(field, str(error)) from None
