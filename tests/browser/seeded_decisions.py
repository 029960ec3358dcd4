"""Decisions on the seeded console's calls."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from proxy.telemetry import DecisionRow, OperationRow

OBLIGATIONS = '[{"type":"cap_tokens","max":400},{"type":"tag","key":"env","value":"prod"}]'
FACTS = (
    '{"version":1,"point":"request","org":"acme","model":"gpt-5","tags":{"env":"prod"},'
    '"messages":{"count":3,"bytes":812,"roles":["system","user"],"text":null},'
    '"tool":{"name":"mail","arguments":{"to":"string (12)","cc":["string (9)"]},"valid":true}}'
)


def decisions(rows: Sequence[OperationRow], hostile: str) -> list[DecisionRow]:
    """Two for each of the newest calls: what counted, and what rules that are tried would have said."""
    found: list[DecisionRow] = []
    for number, row in enumerate(rows[:40]):
        at = datetime.fromisoformat(row.charged_at) + timedelta(milliseconds=2)
        allow = number % 4 != 0
        live = DecisionRow(
            decision_id=f"dec_seed{number:04}",
            operation_id=row.operation_id,
            decided_at=at.isoformat(" ", "milliseconds"),
            org=row.org,
            team=row.team,
            key_id=row.key_id,
            key_name=row.key_name,
            agent=row.agent,
            run=row.run,
            point=("request", "tool_call")[number % 2],
            engine="embedded",
            revision="3f2c91aa" * 8,
            allow=allow,
            code="" if allow else "model_not_listed",
            message="" if allow else f"Not on the list: {hostile}",
            internal="" if allow else "owner: platform team",
            denials=[] if allow else ["model_not_listed", "too_dear"],
            obligations=OBLIGATIONS if allow else "[]",
            tool="mail" if number % 2 else "",
            model=row.model,
            provider=row.provider,
            latency_us=41.5 + number,
            input=FACTS,
            unread=["messages.text", "budgets"],
            worker="wrk_1",
        )
        found.append(live)
        if number % 3 == 0:
            tried = DecisionRow(**{name: getattr(live, name) for name in live.__struct_fields__})
            tried.decision_id, tried.shadow, tried.live_id = f"dec_tried{number:04}", True, live.decision_id
            tried.allow, tried.code, tried.differs = False, "tried_rule", allow
            tried.denials = ["tried_rule"]
            found.append(tried)
    return found
