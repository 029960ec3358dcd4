"""The tools that a model called in an answer, as rows: which, and whether the call reached the client."""

from collections.abc import Iterator

from proxy.journey.state import Journey
from proxy.telemetry import OperationRow, ToolCallRow
from proxy.wire.facts import kept_name
from proxy.wire.tool_calls import Denied


def tool_call_rows(journey: Journey, operation: OperationRow) -> Iterator[ToolCallRow]:
    """A row for each call of the last attempt's answer whose name is kept; who and when are the operation's.

    A denial is of the first call of its name that has none yet: a rule denies calls by what they are.
    """
    denied = list(journey.denied)
    for number, name in enumerate(journey.attempts[-1].tools, 1):
        no = _taken(denied, name)
        yield ToolCallRow(
            operation_id=operation.operation_id,
            called_at=operation.charged_at,
            org=operation.org,
            team=operation.team,
            key_id=operation.key_id,
            key_name=operation.key_name,
            agent=operation.agent,
            run=operation.run,
            provider=operation.provider,
            model=operation.model,
            number=number,
            tool=name,
            code="" if no is None else no.code,
            decision="" if no is None else no.decision,
            worker=operation.worker,
        )


def _taken(denied: list[Denied], name: str) -> Denied | None:
    found = next((each for each in denied if kept_name(each.name) == name), None)
    if found is not None:
        denied.remove(found)
    return found
