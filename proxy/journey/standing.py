"""What this worker last heard of its budgets' balances: what policies see before the ledger is asked."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from proxy.budget import Balance, HoldLine

MOST: Final = 20_000


class Standing:
    """The latest balance of each budget and window, the longest unheard of forgotten first. Empty until it `listens`:
    where no rule reads budgets nothing is kept."""

    def __init__(self) -> None:
        self.listens = False
        self._heard: OrderedDict[tuple[str, str], tuple[Balance, int]] = OrderedDict()

    def of(self, line: HoldLine) -> tuple[Balance, int] | None:
        """A line's latest balance, and when it was heard in nanoseconds since 1970."""
        self.listens = True
        return self._heard.get((line.budget, line.window))

    def hear(self, balances: Iterable[Balance], now_ns: int) -> None:
        """What the ledger has just said."""
        for balance in balances:
            key = (balance.line.budget, balance.line.window)
            self._heard[key] = balance, now_ns
            self._heard.move_to_end(key)
        while len(self._heard) > MOST:
            self._heard.popitem(last=False)
