"""Looks at where all budgets stand, and raises each alert once."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias

from proxy.budget.alerts.alert import Alert, Claim
from proxy.budget.alerts.crossings import crossings, is_watched, least_watched
from proxy.budget.alerts.outbox import Outbox
from proxy.budget.alerts.receiver import Receiver
from proxy.budget.budget import Budget
from proxy.budget.standing import BudgetState
from proxy.budget.store import BudgetStore
from proxy.budget.windows import WindowKind
from proxy.core.clock import Clock
from proxy.state import StateFile

Refusals: TypeAlias = Mapping[tuple[str, str], int]
"""Scopes and names by which calls were refused lately, and when last, in nanoseconds since 1970."""
MOST_OF_EACH: Final = 10_000
"""Of the scopes that a pattern stands for, so many are looked at, the fullest first."""
_FEW_OF_EACH: Final = 64
_AT_ONCE: Final = 256
_SETTLING_NS: Final = 60_000_000_000
_MOST_RAISED: Final = 1_000
_MOST_REMEMBERED: Final = 200_000


class Watcher:
    """Finds crossings in the counters, off the calls' way. Its methods block, and are called from one thread at a time.

    What it finds beyond a thousand alerts in one look is raised by the next.
    """

    def __init__(self, store: BudgetStore, state: StateFile, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._outbox = outbox
        self._clock = clock
        self._generation = -1
        self._plain: tuple[Budget, ...] = ()
        self._patterns: tuple[Budget, ...] = ()
        self._held: dict[str, Claim] = {}

    def look(self, receivers: Sequence[Receiver] = (), refused: Refusals | None = None) -> list[Alert]:
        """Look once; the alerts raised.

        Raises:
            LedgerUnavailable: the counters cannot be read.
            StateBusy: the state file was locked.
        """
        self._follow()
        now_ns = self._clock.now_ns()
        found = list(islice(self._new(refused or {}, now_ns), _MOST_RAISED))
        if not found:
            return []
        told = [(alert, claim, [each.name for each in receivers if each.wants(alert)]) for alert, claim in found]
        raised = self._outbox.put(told, now_ns)
        # As they stand there: another host may have been first.
        self._held |= self._outbox.claims([claim.key for _, claim in found])
        return raised

    def _follow(self) -> None:
        generation = self._state.generation()
        if generation == self._generation:
            return
        watched = [budget for budget in self._store.list() if is_watched(budget)]
        self._plain = tuple(budget for budget in watched if not budget.is_pattern)
        self._patterns = tuple(budget for budget in watched if budget.is_pattern)
        self._generation = generation

    def _new(self, refused: Refusals, now_ns: int) -> Iterator[tuple[Alert, Claim]]:
        """Alerts that, by what is known here, nobody has raised."""
        if len(self._held) > _MOST_REMEMBERED:
            self._held.clear()
        for states in self._standing(refused, now_ns):
            found = [
                each for state in states for each in crossings(state, now_ns, refuses=_has_refused(state, refused))
            ]
            unknown = [claim.key for _, claim in found if claim.key not in self._held]
            self._held |= self._outbox.claims(unknown) if unknown else {}
            yield from (each for each in found if _is_free(self._held.get(each[1].key), each[1], now_ns))

    def _standing(self, refused: Refusals, now_ns: int) -> Iterator[Sequence[BudgetState]]:
        """All that is watched, and again in windows that have just ended: the last calls there still settle."""
        ended_ns = now_ns - _SETTLING_NS
        ended = _Ended(ended_ns, now_ns)
        yield from self._of_plain(self._plain, now_ns)
        yield from self._of_plain([budget for budget in self._plain if ended.is_of(budget)], ended_ns)
        for budget in self._patterns:
            if ended.is_of(budget):
                yield self._of_pattern(budget, ended_ns)
            states = self._of_pattern(budget, now_ns)
            yield states
            # A call that is too dear is refused also where little is spent yet.
            scopes = {scope for scope, name in refused if name == budget.name} - {state.scope for state in states}
            yield [self._store.state_for(budget, scope) for scope in scopes]

    def _of_plain(self, budgets: Sequence[Budget], at_ns: int) -> Iterator[Sequence[BudgetState]]:
        for first in range(0, len(budgets), _AT_ONCE):
            yield self._store.states(budgets[first : first + _AT_ONCE], at_ns=at_ns)

    def _of_pattern(self, budget: Budget, at_ns: int) -> Sequence[BudgetState]:
        states = self._store.states_of_each(budget, _FEW_OF_EACH, at_ns=at_ns)
        if len(states) == _FEW_OF_EACH and _has_reached_any(states[-1]):
            states = self._store.states_of_each(budget, MOST_OF_EACH, at_ns=at_ns)
        return states


class _Ended:
    """Whether budgets' windows have ended between two instants; asked once for all that are cut alike."""

    def __init__(self, before_ns: int, now_ns: int) -> None:
        self._before_ns = before_ns
        self._now_ns = now_ns
        self._known: dict[tuple[WindowKind, str], bool] = {}

    def is_of(self, budget: Budget) -> bool:
        """Whether the budget's has; a rolling one goes on."""
        if budget.window in (WindowKind.ROLLING, WindowKind.TOTAL):
            return False
        key = (budget.window, budget.timezone)
        if key not in self._known:
            self._known[key] = budget.window_at(self._before_ns) != budget.window_at(self._now_ns)
        return self._known[key]


def _has_reached_any(state: BudgetState) -> bool:
    least = least_watched(state.budget, state.limit)
    return least is not None and state.spent + state.held >= least


def _has_refused(state: BudgetState, refused: Refusals) -> bool:
    at_ns = refused.get((state.scope, state.budget.name))
    return at_ns is not None and state.budget.window_at(at_ns).name == state.window


def _is_free(held: Claim | None, wanted: Claim, now_ns: int) -> bool:
    """Whether a claim may be had, as the outbox decides it."""
    if held is None or (held.until_ns is not None and held.until_ns <= now_ns):
        return True
    return 0 < held.amount <= wanted.amount // 2
