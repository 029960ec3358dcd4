"""How a budget's window goes: behind us by the rows, ahead by the forecast."""

import anyio.to_thread

from proxy.admin.call import Answer, Call
from proxy.admin.desks.budgets import state_asked
from proxy.admin.shapes.common import maybe_moment, moment
from proxy.admin.shapes.forecasts import Course, show_forecast, show_step
from proxy.budget import NoForecast


async def get_course(call: Call) -> Answer:
    """How a budget's window went so far, by hours or days, and how it is expected to go on.

    One for `*` as its fullest scope's, or as that of the scope asked for. Windows that are short, roll or never end
    have nothing behind them here.
    """
    state = await anyio.to_thread.run_sync(state_asked, call)
    budget, unit = state.budget, state.budget.unit
    past = await call.rooms.forecasts.course(state)
    found = await call.rooms.forecasts.of(state)
    ahead = () if isinstance(found, NoForecast) else found.path
    return Answer(
        Course(
            budget=budget.name,
            scope=state.scope,
            window=state.window,
            starts_at=moment(budget.window_at(call.now_ns()).starts_ns),
            ends_at=maybe_moment(state.resets_at_ns),
            past=tuple(show_step(unit, point.at_ns, spent=point.spent) for point in past),
            ahead=tuple(
                show_step(unit, point.at_ns, expected=point.expected, low=point.low, high=point.high) for point in ahead
            ),
            forecast=show_forecast(found, unit),
        )
    )
