"""Operations: the recent ones, and one of them explained."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.desks.decisions import decisions_of
from proxy.admin.desks.spend_asked import bad_tags
from proxy.admin.faults import Fault, Problem, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.decisions import Decision
from proxy.admin.shapes.operations import Attempt, Explained, Operation, OperationQuery, Routing, Stage
from proxy.core.money import Nano, NotMoney, exact_usd
from proxy.telemetry import AttemptRow, OperationDetail, OperationRow, OperationSearch, cursor

_FILTERS: Final = {"end_user": "user"} | {
    name: name
    for name in (
        *("key", "model", "provider", "outcome", "code", "run", "agent", "refused_by", "would_code"),
        *("owner", "cost_center", "endpoint"),
    )
}
"""Parameters, and what the store calls them."""
_ROUTING: Final = msgspec.json.Decoder(Routing)
_TOKENS: Final = "_tokens"
_MOMENTS: Final = frozenset({"charged_at", "finished_at", "started_at"})


async def list_operations(call: Call) -> Answer:
    """The newest operations that the token reaches."""
    asked = call.query(OperationQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    filters = {stored: (value,) for name, stored in _FILTERS.items() if (value := getattr(asked, name)) is not None}
    if team is not None:
        filters["team"] = (team,)
    if asked.tag is not None:
        name, _, value = asked.tag.partition("=")
        filters[f"tag:{name}"] = (value,)
    (before,) = place_of(asked.page, 1)
    found = await call.rooms.reader.recent(
        org=org, filters=filters, limit=asked.limit + 1, before=before or None, search=_search(asked)
    )
    return Answer(listing(found, asked.limit, show_operation, lambda row: (cursor(row),)))


def _search(asked: OperationQuery) -> OperationSearch:
    problems = bad_tags(() if asked.tag is None else (asked.tag,))
    if asked.start_time is not None and asked.end_time is not None and asked.end_time <= asked.start_time:
        problems.append(Problem("end_time", "must lie after start_time"))
    amounts: dict[str, Nano | None] = {}
    for name in ("min_cost_usd", "max_cost_usd"):
        given = getattr(asked, name)
        try:
            amounts[name] = None if given is None else exact_usd(given)
        except NotMoney as wrong:
            problems.append(Problem(name, str(wrong)))
    if problems:
        raise refused(problems)
    return OperationSearch(
        start=None if asked.start_time is None else datetime.fromtimestamp(asked.start_time, UTC),
        end=None if asked.end_time is None else datetime.fromtimestamp(asked.end_time, UTC),
        prefix=asked.id or "",
        least=amounts["min_cost_usd"],
        most=amounts["max_cost_usd"],
    )


async def explain_operation(call: Call) -> Answer:
    """Why an operation went as it did and cost what it cost."""
    operation_id = call.path["operation"]
    found = await call.rooms.reader.operation(operation_id, call.binding.org)
    if found is None or not call.binding.sees(found.operation.org, found.operation.team):
        raise Refusal(Fault.NOT_FOUND, f"There is no operation {operation_id}.")
    return Answer(_explained(found, await decisions_of(call, operation_id, found.operation.org)))


def show_operation(row: OperationRow) -> Operation:
    """An operation as it is shown."""
    shown: Operation = msgspec.convert(_plain(row) | {"id": row.operation_id}, Operation)
    return shown


def _explained(found: OperationDetail, decisions: tuple[Decision, ...]) -> Explained:
    stages = found.operation.stages_ms.items()
    return Explained(
        operation=show_operation(found.operation),
        stages=tuple(Stage(name=name, duration_ms=duration) for name, duration in stages),
        attempts=tuple(_attempt(row) for row in found.attempts),
        routing=routing_of(found.operation.routing),
        decisions=decisions,
    )


def routing_of(told: str) -> Routing | None:
    """How a row's target was chosen, as it is shown."""
    return _ROUTING.decode(told) if told else None


def _attempt(row: AttemptRow) -> Attempt:
    lines = msgspec.json.decode(row.price_lines)
    shown: Attempt = msgspec.convert(_plain(row) | {"id": row.attempt_id, "price_lines": lines}, Attempt)
    return shown


def _plain(row: OperationRow | AttemptRow) -> dict[str, Any]:
    """A row's columns, the token columns gathered into one object without the zeros, the cost in both units."""
    columns: dict[str, Any] = msgspec.structs.asdict(row)
    tokens = {name: columns.pop(name) for name in list(columns) if name.endswith(_TOKENS)}
    columns["tokens"] = {name.removesuffix(_TOKENS): count for name, count in tokens.items() if count}
    for name in _MOMENTS & columns.keys():
        # The store writes UTC as ClickHouse does.
        columns[name] = columns[name].replace(" ", "T") + "Z"
    columns["cost_nano"] = None if row.cost_usd is None else exact_usd(row.cost_usd)
    return columns
