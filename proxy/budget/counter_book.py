"""The ledger's counters as people read and set them: off the calls' way, from threads that may wait."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from proxy.core.money import Nano


class Stretch(NamedTuple):
    """A counter over the windows that count together, by their names, both included; one window where they agree.

    `counter` is what lines of it have as their `budget`.
    """

    counter: str
    oldest: str
    newest: str


class Counted(NamedTuple):
    """What stands in a stretch, in the counter's unit; `spent` has any opening spend in it."""

    spent: Nano
    held: Nano
    overrun: Nano


class Fullest(NamedTuple):
    """The counters of a budget whose scope is a pattern: how many have counted, and the fullest by name, first."""

    scopes: int
    each: tuple[tuple[str, Counted], ...]


class CounterBook(Protocol):
    """The counters of whichever ledger the calls use. Every method blocks, and may be called from several threads.

    `open` and `erase` are called inside `StateFile.change`, as its last deed: what they raise undoes that change.

    Raises:
        LedgerUnavailable: the ledger's store cannot be reached; nothing was changed.
    """

    def open(self, counter: str, window: str, amount: Nano, *, kept_until_ns: int | None) -> None:
        """Let the opening spend of a window be exactly that; doing so again changes nothing."""
        ...

    def erase(self, budget: str) -> None:
        """Forget all that a budget has counted: its own counter, and `budget/…` of every scope of its pattern."""
        ...

    def counted(self, asked: Sequence[Stretch]) -> tuple[Counted, ...]:
        """What stands in each stretch, in the order asked; nothing counted yet is zero."""
        ...

    def fullest(self, asked: Stretch, most: int) -> Fullest:
        """The counters `asked.counter/…` of a pattern's scopes that counted in the stretch, by spent and held."""
        ...
