"""What happened so far, tenant by tenant."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from proxy.core.money import ZERO, Nano

_SAMPLES: Final = 2000


class Ending(StrEnum):
    """How one call of the demo ended, as its client saw it."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"
    HUNG_UP = "hung up"


@dataclass(slots=True)
class Balance:
    """A tenant's budget as Flyball tells it, in nano-dollars."""

    limit: Nano = ZERO
    spent: Nano = ZERO
    held: Nano = ZERO


@dataclass(slots=True)
class TenantTally:
    """One tenant's calls, money and waiting times (to the first token, in milliseconds)."""

    open: int = 0
    endings: dict[Ending, int] = field(default_factory=lambda: dict.fromkeys(Ending, 0))
    balance: Balance = field(default_factory=Balance)
    first_tokens_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    @property
    def ended(self) -> int:
        """Calls that are over."""
        return sum(self.endings.values())


@dataclass(slots=True)
class Tally:
    """All tenants. `surprises` are answers the demo did not plan for, the latest few of them."""

    planned: int
    tenants: dict[str, TenantTally]
    surprises: deque[str] = field(default_factory=lambda: deque(maxlen=5))

    @property
    def ended(self) -> int:
        """Calls that are over, of all tenants."""
        return sum(tenant.ended for tenant in self.tenants.values())

    @property
    def open(self) -> int:
        """Calls under way, of all tenants."""
        return sum(tenant.open for tenant in self.tenants.values())

    def count(self, ending: Ending) -> int:
        """Calls that ended so, of all tenants."""
        return sum(tenant.endings[ending] for tenant in self.tenants.values())

    @property
    def spent(self) -> Nano:
        """What all tenants have spent."""
        return Nano(sum(tenant.balance.spent for tenant in self.tenants.values()))

    @property
    def first_tokens_ms(self) -> list[float]:
        """The waiting times of all tenants."""
        return [wait for tenant in self.tenants.values() for wait in tenant.first_tokens_ms]


def quantile(values: Sequence[float], fraction: float) -> float | None:
    """The value below which this fraction of the values lies; None of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] if ordered else None
