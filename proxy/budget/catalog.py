"""What budgets there are, and which of them a call falls under now."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from proxy.budget.clock_windows import length_of, length_text, oldest_counted
from proxy.budget.ledger import HoldLine
from proxy.budget.settings import BudgetEntry
from proxy.budget.windows import Window, WindowKind, window_at, zone_of
from proxy.core.money import ZERO, Nano, NotMoney, exact_usd

ManagedBy: TypeAlias = Literal["file", "api"]

_SCOPE: Final = re.compile(r"org:[^/\s]+|team:[^/\s]+/[^/\s]+|key:[^/\s]+/[^/\s]+/[^/\s]+")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_MOST: Final = 10**18
_LEAST_KEPT_NS: Final = 2 * 86_400 * 10**9


class BadBudget(ValueError):
    """A budget that cannot be meant as it stands; `field` names what is wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetSpec:
    """A budget as flyball.yaml or the admin API states it; `name` is unique among all budgets.

    `opening_spent` was spent before Flyball, in the window in which it is first said. `length_s` is how long a rolling
    window is, and 0 for every other.

    Raises:
        BadBudget: bad name, scope, timezone or amount.
    """

    name: str
    scope: str
    limit: Nano
    window: WindowKind = WindowKind.MONTH
    length_s: int = 0
    timezone: str = "UTC"
    hard: bool = True
    opening_spent: Nano = ZERO

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadBudget("name", f"{self.name!r} is no name: 1 to 128 letters, digits or . _ : @ -")
        if not _SCOPE.fullmatch(self.scope):
            raise BadBudget("scope", f"{self.scope!r} is no scope: org:acme, team:acme/support or key:acme/support/bot")
        if not 0 <= self.limit <= _MOST:
            raise BadBudget("limit_usd", f"the limit of {self.name} must be between 0 and a billion dollars")
        if not 0 <= self.opening_spent <= _MOST:
            raise BadBudget("opening_spent_usd", f"the opening spend of {self.name} must not be negative or absurd")
        if (self.window is WindowKind.ROLLING) != bool(self.length_s):
            raise BadBudget("length", f"a rolling window needs a length, and no other one has any ({self.name})")
        try:
            zone_of(self.timezone)
        except ValueError as error:
            raise BadBudget("timezone", str(error)) from None


def spec_of(entry: BudgetEntry) -> BudgetSpec:
    """A budget of flyball.yaml, or of an admin API body, checked and in nano-dollars.

    Raises:
        BadBudget: it cannot be meant as it stands.
    """
    return BudgetSpec(
        name=entry.name,
        scope=entry.scope,
        limit=_money("limit_usd", entry.limit_usd),
        window=WindowKind(entry.window),
        length_s=length_read(entry.length),
        timezone=entry.timezone,
        hard=entry.hard,
        opening_spent=_money("opening_spent_usd", entry.opening_spent_usd),
    )


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget(BudgetSpec):
    """A budget that exists. `id` stays while name and scope do."""

    id: str
    managed_by: ManagedBy

    @property
    def org(self) -> str:
        """The org that its scope lies in."""
        return self.scope.partition(":")[2].partition("/")[0]

    def window_at(self, at_ns: int) -> Window:
        """The window, or the bucket of its rolling one, that an instant falls into."""
        return window_at(self.window, self.timezone, at_ns, self.length_s)

    @property
    def length(self) -> str:
        """How long its rolling window is, as people write it; empty for every other."""
        return length_text(self.length_s)

    def counted_from(self, window: Window) -> str | None:
        """The oldest bucket that counts against the limit beside that one; None where windows stand alone."""
        if self.window is not WindowKind.ROLLING or window.ends_ns is None:
            return None
        return oldest_counted(window.starts_ns, window.ends_ns)

    def kept_until_ns(self, window: Window) -> int | None:
        """When a window may be forgotten: as long after it last counted as it is long, and two days at least."""
        if window.ends_ns is None:
            return None
        length = self.length_s * 1_000_000_000 or window.ends_ns - window.starts_ns
        counts_until = window.ends_ns + (length if self.length_s else 0)
        return counts_until + max(length, _LEAST_KEPT_NS)


class BudgetCatalog:
    """All budgets at one generation; never changed, replaced as a whole."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self.budgets: Final = tuple(budgets)
        by_scope: dict[str, list[_Meter]] = {}
        for budget in self.budgets:
            by_scope.setdefault(budget.scope, []).append(_Meter(budget))
        self._by_scope = {scope: tuple(meters) for scope, meters in by_scope.items()}

    def lines_for(self, scopes: Sequence[str], at_ns: int) -> tuple[HoldLine, ...]:
        """What a call under those scopes must fit under if it is charged at that time; in the order of the scopes."""
        lines = []
        for scope in scopes:
            for meter in self._by_scope.get(scope, ()):
                lines.append(meter.line_at(at_ns))
        return tuple(lines)


class _Meter:
    """A budget with its present line, which is the same object until the window ends."""

    __slots__ = ("_budget", "_line", "_window")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._window: Window | None = None
        self._line: HoldLine | None = None

    def line_at(self, at_ns: int) -> HoldLine:
        window, line = self._window, self._line
        if window is not None and line is not None and window.holds(at_ns):
            return line
        window = self._budget.window_at(at_ns)
        self._window, self._line = window, line_of(self._budget, window)
        return self._line


def line_of(budget: Budget, window: Window) -> HoldLine:
    """A budget in one of its windows, as the ledger takes it."""
    return HoldLine(
        budget=budget.id,
        name=budget.name,
        scope=budget.scope,
        window=window.name,
        limit=budget.limit,
        hard=budget.hard,
        resets_at_ns=window.ends_ns,
        counted_from=budget.counted_from(window),
        kept_until_ns=budget.kept_until_ns(window),
    )
