"""What an org's overhead account may spend in a day where no budget of its own says so."""

from typing import Final

from proxy.budget import HoldLine, Unit
from proxy.core.money import Nano
from proxy.core.tenant import overhead_scope

NAME: Final = "limits.overhead_usd_per_day"
_DAY_NS: Final = 86_400_000_000_000


def overhead_lines(lines: tuple[HoldLine, ...], org: str, per_day: Nano | None, at_ns: int) -> tuple[HoldLine, ...]:
    """The lines of an errand, with the default limit of a day (UTC) unless a budget in dollars is on the account.

    It is hard also where budgets are only observed: nobody's call is refused by it.
    """
    scope = overhead_scope(org)
    if per_day is None or any(line.scope == scope and line.unit is Unit.USD for line in lines):
        return lines
    day = at_ns // _DAY_NS
    line = HoldLine(
        budget=f"overhead/{org}",
        name=NAME,
        scope=scope,
        window=f"day {day}",
        limit=per_day,
        resets_at_ns=(day + 1) * _DAY_NS,
        kept_until_ns=(day + 3) * _DAY_NS,
    )
    return (*lines, line)
