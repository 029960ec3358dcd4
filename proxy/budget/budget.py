"""A budget that exists."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from proxy.budget.clock_windows import length_text, oldest_counted
from proxy.budget.raised import Raise
from proxy.budget.scopes import is_pattern
from proxy.budget.spec import BudgetSpec
from proxy.budget.windows import Window, WindowKind, window_at
from proxy.core.money import Nano

ManagedBy: TypeAlias = Literal["file", "api"]

_NS: Final = 1_000_000_000
_LEAST_KEPT_NS: Final = 2 * 86_400 * _NS


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget(BudgetSpec):
    """A budget that exists. `id` stays while its name, its scope and what it counts do.

    `limit` is what was stated; `limit_at` is what holds. `raises` are those that had not ended when it was read.
    """

    id: str
    managed_by: ManagedBy
    raises: tuple[Raise, ...] = ()

    @property
    def org(self) -> str:
        """The org that its scope lies in."""
        return self.scope.partition(":")[2].partition("/")[0]

    @property
    def is_pattern(self) -> bool:
        """Whether every scope of a kind has it for itself."""
        return is_pattern(self.scope)

    def counter_of(self, scope: str) -> str:
        """What the ledger knows it by, for its scope or for one that its pattern stands for."""
        return f"{self.id}/{scope}" if self.is_pattern else self.id

    def scope_of(self, counter: str) -> str:
        """The scope that such a counter is of."""
        return counter.partition("/")[2] or self.scope

    @property
    def length(self) -> str:
        """How long its rolling window is, as people write it; empty for every other."""
        return length_text(self.length_s)

    def window_at(self, at_ns: int) -> Window:
        """The window, or the bucket of its rolling one, that an instant falls into."""
        return window_at(self.window, self.timezone, at_ns, self.length_s)

    def limit_at(self, at_ns: int) -> Nano:
        """The limit with all raises that have not ended by then."""
        if not self.raises:
            return self.limit
        return Nano(self.limit + sum(each.amount for each in self.raises if at_ns < each.until_ns))

    def steady(self, window: Window, at_ns: int) -> tuple[int, int | None]:
        """From when, and until before when (None: for ever), window and limit are what they are at an instant in it."""
        starts, ends = window.starts_ns, window.ends_ns
        for each in self.raises:
            if each.until_ns <= at_ns:
                starts = max(starts, each.until_ns)
            elif ends is None or each.until_ns < ends:
                ends = each.until_ns
        return starts, ends

    def counted_from(self, window: Window) -> str | None:
        """The oldest bucket that counts against the limit beside that one; None where windows stand alone."""
        if self.window is not WindowKind.ROLLING or window.ends_ns is None:
            return None
        return oldest_counted(window.starts_ns, window.ends_ns)

    def kept_until_ns(self, window: Window) -> int | None:
        """When a window may be forgotten: as long after it last counted as it is long, and two days at least."""
        if window.ends_ns is None:
            return None
        length = self.length_s * _NS or window.ends_ns - window.starts_ns
        counts_until = window.ends_ns + (length if self.length_s else 0)
        return counts_until + max(length, _LEAST_KEPT_NS)
