"""The limits of runs as the ledger takes them: a line for each count, a ticket for seconds, depth and a kill."""

from typing import Final
from urllib.parse import quote

from proxy.budget import HoldLine, LineKind, RunTicket, Unit
from proxy.core.money import Nano
from proxy.core.tenant import Principal, run_scope
from proxy.runs import DERIVED, Claims, RunBound, RunBounds, RunLimits, RunNames, RunSettings

UNITS: Final = {"calls": Unit.REQUESTS, "tool_calls": Unit.TOOL_CALLS, "tokens": Unit.TOKENS, "usd": Unit.USD}
_AMOUNTS: Final = {Unit.REQUESTS: 1, Unit.TOOL_CALLS: 0, Unit.TOKENS: 0, Unit.USD: None}
"""What a call takes of a line before it was fitted to it."""
_DAY_NS: Final = 86_400_000_000_000
_MOST_RUNS: Final = 8192


class _Governed:
    """A run as it was last asked for; its lines are made once a day, since they say how long they are kept."""

    __slots__ = ("bounds", "day", "lines", "principal", "ticket")

    def __init__(self, principal: Principal, bounds: RunBounds, ticket: RunTicket | None) -> None:
        self.principal = principal
        self.bounds = bounds
        self.ticket = ticket
        self.day = -1
        self.lines: tuple[HoldLine, ...] = ()


class RunBook:
    """Everything configured about runs; never changed, replaced as a whole.

    `watches` is whether there are limits at all: where there are none, no call needs a line or a ticket.
    """

    def __init__(
        self, limits: RunLimits | None = None, names: RunNames | None = None, remembered_days: int = 30
    ) -> None:
        self.limits: Final = limits or RunLimits()
        self.names: Final = names or RunNames()
        self.watches: Final = bool(self.limits)
        self._remembered_days = remembered_days
        self._bounds: dict[tuple[str, str, bool], tuple[Principal, RunBounds]] = {}
        self._runs: dict[tuple[str, str, str, str, str], _Governed] = {}

    @classmethod
    def of(cls, settings: RunSettings) -> "RunBook":
        """What the settings say.

        Raises:
            BadRunLimit, BadAlias: they cannot be meant so.
        """
        return cls(RunLimits.of(settings), RunNames.of(settings), settings.remembered_days)

    def ticket(self, principal: Principal, claims: Claims) -> RunTicket | None:
        """The call's place in its run; None where it has no run or no limit holds for it."""
        if not self.watches or not claims.run:
            return None
        return self._governed(principal, claims).ticket

    def lines(self, principal: Principal, claims: Claims, at_ns: int) -> tuple[HoldLine, ...]:
        """What a call charged at that time must fit under in its run; still to be fitted to its estimate."""
        if not self.watches or not claims.run:
            return ()
        governed, day = self._governed(principal, claims), at_ns // _DAY_NS
        if governed.day != day and governed.bounds.counted:
            kept_until_ns = (day + 1 + self._remembered_days) * _DAY_NS
            governed.day = day
            governed.lines = tuple(
                line_of(principal, claims.run, each, kept_until_ns) for each in governed.bounds.counted
            )
        return governed.lines

    def _governed(self, principal: Principal, claims: Claims) -> _Governed:
        key = (principal.key_id, claims.run, claims.run_source, claims.agent, claims.parent_run)
        known = self._runs.get(key)
        # A key that was changed is another object: its team, and so its limits, may be others.
        if known is not None and known.principal is principal:
            return known
        if len(self._runs) >= _MOST_RUNS:
            self._runs.clear()
        bounds = self._bounds_of(principal, claims.agent, claims.run_source == DERIVED)
        ticket = ticket_of(principal, claims, bounds) if bounds else None
        made = self._runs[key] = _Governed(principal, bounds, ticket)
        return made

    def _bounds_of(self, principal: Principal, agent: str, derived: bool) -> RunBounds:
        """The same for all runs of a key and agent: finding it takes longer than all else that a new run does."""
        known = self._bounds.get((principal.key_id, agent, derived))
        if known is not None and known[0] is principal:
            return known[1]
        if len(self._bounds) >= _MOST_RUNS:
            self._bounds.clear()
        bounds = self.limits.bounds(principal, agent, derived=derived)
        self._bounds[principal.key_id, agent, derived] = principal, bounds
        return bounds


def ticket_of(principal: Principal, claims: Claims, bounds: RunBounds) -> RunTicket:
    """A call's place in its run, under these bounds."""
    return RunTicket(
        org=principal.org,
        key_id=principal.key_id,
        name=claims.run,
        parent=claims.parent_run,
        max_s=bounds.seconds,
        max_depth=bounds.depth,
    )


def line_of(principal: Principal, run: str, bound: RunBound, kept_until_ns: int | None) -> HoldLine:
    """One count of a run as the ledger takes it; `name` says whose limit it is."""
    unit = UNITS[bound.what]
    return HoldLine(
        budget=counter_of(principal, run, unit, bound.agent),
        name=f"runs of {bound.said_of}",
        scope=run_scope(principal.org, run),
        window="total",
        limit=Nano(bound.most),
        unit=unit,
        amount=_AMOUNTS[unit],
        kept_until_ns=kept_until_ns,
        kind=LineKind.RUN,
    )


def counter_of(principal: Principal, run: str, unit: Unit, agent: str = "") -> str:
    """What the ledger calls one count of one run: `run/<org>/<key id>/<unit>[@agent]/<run>`.

    The run's name stands last, since a client may put anything into it.
    """
    of_agent = f"@{quote(agent, safe='')}" if agent else ""
    return f"run/{principal.org}/{principal.key_id}/{unit.value}{of_agent}/{run}"
