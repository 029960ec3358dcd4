"""A budget as people state it, checked: in flyball.yaml and in the admin API by the same words."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeAlias

from proxy.budget.bad_budget import BadBudget
from proxy.budget.clock_windows import length_of
from proxy.budget.ledger import LineKind, Rung, Unit
from proxy.budget.raised import MOST_LIMIT
from proxy.budget.rungs import check_ladder, rungs_of
from proxy.budget.scopes import is_pattern, is_scope
from proxy.budget.settings import BudgetEntry, Enforcement, RateLimitEntry
from proxy.budget.windows import WindowKind, zone_of
from proxy.core.money import ZERO, Nano, NotMoney, exact_usd

TokenKind: TypeAlias = Literal["total", "input", "output"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_LONGEST_PATTERN: Final = 200
_SCOPES: Final = (
    "org:acme, overhead:acme, team:acme/support, key:acme/support/bot, agent:acme/a, user:acme/u1, run:acme/r, "
    "tag:acme/k=v, "
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
    Unit.SLOTS: "limit_concurrent",
}
"""What a limit is called where people write it, by what it counts."""
_RATE_WINDOWS: Final = frozenset({WindowKind.MINUTE, WindowKind.HOUR, WindowKind.DAY, WindowKind.ROLLING})
_BOUNDED_BY_OUTPUT: Final = frozenset({Unit.USD, Unit.TOKENS, Unit.OUTPUT_TOKENS})


class Limit(NamedTuple):
    """How much, and of what: nano-dollars, tokens, requests or calls at once."""

    unit: Unit
    amount: Nano


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetSpec:
    """A budget as flyball.yaml or the admin API states it; `name` is unique among all budgets.

    `limit` is in nano-dollars, or in whole units where `unit` says so. `opening_spent` are nano-dollars spent before
    Flyball, in the window in which they are first said. `length_s` is how long a rolling window is, and 0 for every
    other. `models` are glob patterns of the model names asked for: only such calls are counted; empty counts all.
    `kind` says whether it is a budget or a rate limit.

    Raises:
        BadBudget: bad name, scope, limit, window, timezone, amount or ladder.
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
    kind: LineKind = LineKind.BUDGET
    ladder: tuple[Rung, ...] = ()
    clamp: bool = False
    enforcement: Enforcement = "enforce"

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return f"{'rate limit' if self.kind is LineKind.RATE else 'budget'} {self.name}"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadBudget("name", f"{self.name!r} is no name: 1 to 128 letters, digits or . _ : @ -")
        if not is_scope(self.scope):
            raise BadBudget("scope", f"{self.scope!r} is no scope: {_SCOPES}")
        if not all(0 < len(pattern) <= _LONGEST_PATTERN for pattern in self.models):
            raise BadBudget("models", f"a model pattern of {self.name} has 1 to {_LONGEST_PATTERN} characters")
        self._check_amounts()
        self._check_kind()
        check_ladder(self.ladder)
        if (self.window is WindowKind.ROLLING) != bool(self.length_s):
            raise BadBudget("length", f"a rolling window needs a length, and no other one has any ({self.name})")
        try:
            zone_of(self.timezone)
        except ValueError as error:
            raise BadBudget("timezone", str(error)) from None

    def _check_amounts(self) -> None:
        if not 0 <= self.limit <= MOST_LIMIT:
            most = "a billion dollars" if self.unit is Unit.USD else f"{MOST_LIMIT:,}"
            raise BadBudget(LIMIT_FIELDS[self.unit], f"the limit of {self.name} must be between 0 and {most}")
        if not 0 <= self.opening_spent <= MOST_LIMIT:
            raise BadBudget("opening_spent_usd", f"the opening spend of {self.name} must not be negative or absurd")
        if self.opening_spent and is_pattern(self.scope):
            raise BadBudget("opening_spent_usd", f"{self.name} is for many scopes, so none can have spent before")
        if self.opening_spent and self.unit is not Unit.USD:
            raise BadBudget("opening_spent_usd", f"{self.name} does not count dollars, so none were spent of it")

    def _check_kind(self) -> None:
        if self.kind is LineKind.RATE:
            self._check_rate()
        elif self.unit is Unit.SLOTS:
            raise BadBudget("limit_concurrent", f"{self.name} is a budget; calls at once are limited by a rate limit")
        if self.clamp and self.unit not in _BOUNDED_BY_OUTPUT:
            raise BadBudget("clamp", f"{self.name} does not count output, so less output would not make a call fit")

    def _check_rate(self) -> None:
        if self.unit is Unit.USD:
            raise BadBudget("limit_usd", f"{self.name} is a rate limit; dollars are limited by a budget")
        if not self.hard or self.clamp:
            raise BadBudget(
                "clamp" if self.clamp else "hard", f"{self.name} is a rate limit: it is hard and not clamped"
            )
        if self.unit is Unit.SLOTS and self.window is not WindowKind.TOTAL:
            raise BadBudget("window", f"{self.name} limits calls at once, which has no window")
        if self.unit is not Unit.SLOTS and self.window not in _RATE_WINDOWS:
            raise BadBudget("window", f"a rate limit is per minute, hour or day, or rolling ({self.name})")


def rate_of(entry: RateLimitEntry) -> BudgetSpec:
    """A rate limit of flyball.yaml, or of an admin API body, checked.

    Raises:
        BadBudget: it cannot be meant as it stands.
    """
    limit = rate_limit_of(entry.limit_requests, entry.limit_tokens, entry.limit_concurrent, entry.tokens)
    return BudgetSpec(
        kind=LineKind.RATE,
        name=entry.name,
        scope=entry.scope,
        limit=limit.amount,
        unit=limit.unit,
        window=rate_window(entry.window, limit.unit),
        length_s=length_read(entry.length),
        timezone=entry.timezone,
        models=tuple(entry.models),
        ladder=rungs_of(entry.ladder),
        enforcement=entry.enforcement,
    )


def rate_window(stated: str | None, unit: Unit) -> WindowKind:
    """The window of a rate limit: a minute if none is stated, and none at all for calls at once."""
    if stated is None:
        return WindowKind.TOTAL if unit is Unit.SLOTS else WindowKind.MINUTE
    return WindowKind(stated)


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
        ladder=rungs_of(entry.ladder),
        clamp=entry.clamp,
        enforcement=entry.enforcement,
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


def rate_limit_of(requests: int | None, tokens: int | None, concurrent: int | None, kind: TokenKind) -> Limit:
    """The one limit that a rate limit states.

    Raises:
        BadBudget: none, or more than one.
    """
    if (requests is not None) + (tokens is not None) + (concurrent is not None) != 1:
        message = "a rate limit states exactly one of limit_requests, limit_tokens and limit_concurrent"
        raise BadBudget("limit_requests", message)
    if tokens is None and kind != "total":
        raise BadBudget("tokens", f"tokens: {kind} is for a limit that states limit_tokens")
    if tokens is not None:
        return Limit(TOKEN_UNITS[kind], Nano(tokens))
    return Limit(Unit.REQUESTS, Nano(requests)) if requests is not None else Limit(Unit.SLOTS, Nano(concurrent or 0))


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
