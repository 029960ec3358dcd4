"""Operations as they are shown: with the stages in milliseconds, and the provider's id of their last attempt.

Rows hold neither: stages lie there in microseconds (telemetry/stages.py), the provider's id in `attempts` only, which
are kept for less long. Older rows have both themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from proxy.telemetry.rows import AttemptRow, OperationRow
from proxy.telemetry.spend import Select
from proxy.telemetry.stages import shown_stages

_BEFORE: Final = timedelta(seconds=1)
_LONGEST_CALL: Final = timedelta(days=2)
_SELECT: Final = (
    "SELECT t.operation_id, argMax(t.provider_request_id, t.number) FROM attempts AS t"
    " WHERE t.org IN {orgs:Array(String)} AND t.operation_id IN {ids:Array(String)}"
    " AND t.started_at BETWEEN toDateTime({from:String}, 'UTC') AND toDateTime({to:String}, 'UTC')"
    " GROUP BY t.operation_id"
)


def with_stages(row: OperationRow) -> OperationRow:
    """The same row with its stages in milliseconds."""
    row.stages_us = {stage: spent for stage, spent in row.stages_us.items() if spent}
    if row.stages_us:
        row.stages_ms = shown_stages(row.stages_us, row.duration_ms)
    return row


def name_last(row: OperationRow, attempts: Iterable[AttemptRow]) -> None:
    """Give a row the provider's id of the last of its attempts."""
    last = max(attempts, key=lambda attempt: attempt.number, default=None)
    if last is not None and not row.provider_request_id:
        row.provider_request_id = last.provider_request_id


def select_provider_ids(rows: Sequence[OperationRow]) -> Select | None:
    """The question what the providers called the last attempts of these; None where nothing is to be asked."""
    asked = [row for row in rows if row.attempts and not row.provider_request_id]
    if not asked:
        return None
    times = [datetime.fromisoformat(row.charged_at) for row in asked]
    parameters: dict[str, Any] = {
        "orgs": sorted({row.org for row in asked}),
        "ids": [row.operation_id for row in asked],
        "from": str(min(times) - _BEFORE)[:19],
        "to": str(max(times) + _LONGEST_CALL)[:19],
    }
    return Select(sql=_SELECT, parameters=parameters)


def name_each(rows: Iterable[OperationRow], ids: Mapping[str, str]) -> None:
    """Give each row that has none what was found."""
    for row in rows:
        row.provider_request_id = row.provider_request_id or ids.get(row.operation_id, "")
