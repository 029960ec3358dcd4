"""The rows that the boards are asked about: hostile names, every outcome, five weeks before and in the range."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from proxy.telemetry.rows import (
    AttemptRow,
    AuditRow,
    BudgetStateRow,
    DecisionRow,
    OperationRow,
    PipelineStateRow,
    PriceRow,
    ToolCallRow,
)

HOSTILE = (
    """it's "quoted" `ticked`""",
    "back\\slash",
    "trick\\' OR 1=1 --",
    "Ünïcödé 漢字 🎈",
    "a, b) ($c {d}",
    "$__timeFilter(x) ${org} $team",
    "${model:singlequote}",
)
NOON = datetime(2026, 11, 19, 10, 0, tzinfo=UTC)
MODELS = ("gpt-5", "gpt-5-mini", "claude-opus-5", "", *HOSTILE)
OUTCOMES = ("ok", "ok", "ok", "refused", "cancelled", "ok", "upstream_error", "cached", "ok", "truncated")
LOST = 77
CODES = ("budget_exceeded", "rate_limited", "policy_denied", "dependency_unavailable")


def stamp(at: datetime) -> str:
    """A moment as rows hold it."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def moment(text: str) -> datetime:
    """And back."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _times() -> list[datetime]:
    """Close together for four hours, an hour apart for eight days, most of a day apart for five weeks before."""
    near = [NOON - timedelta(minutes=40) + timedelta(seconds=61 * number) for number in range(300)]
    week = [NOON - timedelta(days=5) + timedelta(minutes=53 * number, seconds=number) for number in range(200)]
    past = [NOON - timedelta(days=40) + timedelta(hours=17 * number) for number in range(48)]
    return [at.replace(microsecond=250000) for at in (*near, *week, *past)]


def operations() -> list[OperationRow]:
    """Some hundred calls of two orgs and some with hostile names."""
    return [_operation(number, at) for number, at in enumerate(_times())]


def _operation(number: int, at: datetime) -> OperationRow:
    outcome = "lost" if number % 100 == LOST else OUTCOMES[number % 10]
    refused, model = outcome == "refused", MODELS[number % len(MODELS)]
    row = OperationRow(
        operation_id=f"op_{number:04}",
        charged_at=stamp(at),
        finished_at=stamp(at + timedelta(milliseconds=650)),
        org=("acme", "globex", HOSTILE[number % 7])[number % 3],
        team=("support", "research", HOSTILE[number % 5])[number % 7 % 3],
        key_id=f"key_{number % 4}",
        key_name=("bot", "ci", "notebook", HOSTILE[number % 6])[number % 4],
        cost_center=("4711", "", HOSTILE[number % 3])[number % 3],
        agent=("", "triage", HOSTILE[number % 7])[number % 3],
        tags={"env": ("prod", "dev", HOSTILE[number % 7])[number % 3], "team=x": "y"} if number % 4 else {},
        model=model,
        requested_model=model if number % 6 else "gpt-5",
        provider=("openai", "anthropic")[number % 2] if model else "",
        outcome=outcome,
        code=CODES[number // 10 % 4] if refused else "",
        input_tokens=number * 3,
        cache_read_tokens=number * 2,
        cache_write_tokens=number % 4,
        output_tokens=number,
        reasoning_tokens=number % 5,
    )
    if not refused and number % 13:
        row.price_source = "book"
        row.cost_usd, row.list_usd = f"0.0{number * 7919 % 1000:03}00{number % 10}1", f"0.1{number:03}"
    _measure(row, number)
    return row


def _measure(row: OperationRow, number: int) -> None:
    row.streamed = number % 3 == 0
    row.duration_ms = float(100 + number)
    row.ttft_ms = float(1 + number) if number % 4 else None
    row.overhead_ms = 0.5 + number % 8
    if number % 2:
        row.stages_us = {"identity": 250, "policy": number % 4 * 1000, "hold": 500, "beside_upstream": 50_000}
    else:
        row.stages_ms = {"identity": 0.25, "policy": float(number % 4), "hold": 0.5}
    row.run = ("", f"run_{number // 8}", f"{HOSTILE[number % 7]}/{number // 40}", "run_1")[number % 4]
    row.tool_calls = number % 3
    row.service_tier = ("", "default", "priority")[number % 3]
    row.usage_flaws = ["negative", "total_unexplained"] if number % 19 == 0 else []
    row.usage_source = ("provider", "estimated", "none")[number % 11 % 3]
    row.error = f"told {HOSTILE[number % 7]}" if row.outcome == "upstream_error" else ""
    row.status = {"refused": 402, "upstream_error": 529}.get(row.outcome, 200)
    row.cache_status = _cached(row, number)
    if row.cache_status == "hit":
        row.cache_kind, row.cache_saved_usd = "exact", f"0.00{number:04}1"
    elif row.cache_status == "would_hit":
        row.cache_kind, row.cache_would_save_usd = "exact", row.cost_usd or "0.00"
    row.refused_by = f"org:acme/{HOSTILE[number % 7]}" if row.code in CODES[:2] and row.code else ""
    if number % 17 == 0:
        row.ladder = ["downgrade:acme-month"] if number % 2 else ["throttle:acme-month", "downgrade:acme-month"]
    if number % 23 == 0:
        row.would_code, row.would_by = "budget_exceeded", "org:globex/globex-month"
        row.clamped_to, row.overrun_usd = 256, "0.000000001"


def _cached(row: OperationRow, number: int) -> str:
    if row.outcome == "cached":
        return "hit"
    return ("", "miss", "would_hit", "bypass")[number % 4] if row.outcome == "ok" else ""


def attempts(rows: list[OperationRow]) -> list[AttemptRow]:
    """One, two or three for each call that got that far; only the last went as the call did."""
    found: list[AttemptRow] = []
    for number, row in enumerate(rows):
        if row.outcome not in {"refused", "cached"}:
            row.attempts = 1 + (number % 5 == 0) + (number % 15 == 0)
            found += [_attempt(row, number, turn) for turn in range(1, row.attempts + 1)]
    return found


def tool_calls(rows: list[OperationRow]) -> list[ToolCallRow]:
    """As many for each call as its row counts, some of them denied; a dozen tools, some without a name."""
    names = ("search", "", *HOSTILE, "read_file", "write_file", "run")
    return [
        ToolCallRow(
            operation_id=row.operation_id,
            called_at=row.charged_at,
            org=row.org,
            team=row.team,
            key_id=row.key_id,
            key_name=row.key_name,
            agent=row.agent,
            run=row.run,
            provider=row.provider,
            model=row.model,
            number=turn,
            tool=names[(number // 3 + turn) % len(names)],
            code="" if number % 9 else "no_such_tool",
        )
        for number, row in enumerate(rows)
        for turn in range(1, row.tool_calls + 1)
    ]


def price_book() -> list[PriceRow]:
    """Two versions, the second told twice; names of models by another name, dates before and behind the range."""
    entries = [
        ("book", "openai", "gpt-5", "", ["gpt-5-latest"]),
        ("book", "openai", "gpt-5", "2026-11-01", []),
        ("book", "openai", "gpt-5", "2027-01-01", []),
        ("book", "anthropic", "opus", "2026-01-01", ["claude-opus-5", HOSTILE[0]]),
        ("book", "anthropic", "unused", "", []),
        ("overlay", "", HOSTILE[1], "", []),
        ("overlay", "openai", HOSTILE[3], "2026-10-01", []),
    ]
    told = (("old", "2026-10-01 00:00:00.000"), ("new", "2026-11-02 00:00:00.000"), ("new", "2026-11-03 00:00:00.000"))
    return [
        PriceRow(
            told_at=at,
            version=version,
            origin=origin,
            provider=provider,
            model=model,
            since=since,
            also=also,
            source=f"contract {HOSTILE[2]}",
            multiplier="0.9" if origin == "book" else "1",
            input_usd_per_mtok=f"1.{number}" if version == "new" else "9",
            output_usd_per_mtok=f"7.{number}5",
            cache_read_usd_per_mtok=None if number % 2 else "0.125",
        )
        for version, at in told
        for number, (origin, provider, model, since, also) in enumerate(entries)
    ]


def _attempt(row: OperationRow, number: int, turn: int) -> AttemptRow:
    is_last = turn == row.attempts
    status = 200 if row.outcome not in {"upstream_error"} else 529
    made = AttemptRow(
        attempt_id=f"att_{number:04}_{turn}",
        operation_id=row.operation_id,
        started_at=stamp(moment(row.charged_at) + timedelta(milliseconds=5 * turn)),
        org=row.org,
        team=row.team,
        key_id=row.key_id,
        key_name=row.key_name,
        number=turn,
        purpose="serve" if turn == 1 else "retry",
        streamed=row.streamed,
        provider=row.provider,
        sent_model=row.model,
        model=row.model,
        outcome=row.outcome if is_last else "upstream_error",
        status=status if is_last else (429, 529, 500, 0)[number % 4],
        error="" if is_last else f"told {HOSTILE[number % 7]}",
        service_tier=row.service_tier,
        cost_usd=row.cost_usd if is_last else None,
        duration_ms=float(50 + number),
        retry_after_s=None if is_last else 2,
    )
    if is_last and row.cost_usd is not None:
        made.price_version, made.price_source = f"2026-11-0{1 + number % 2}", "book"
        made.price_lines = json.dumps(_lines(row, number))
    return made


def _lines(row: OperationRow, number: int) -> list[dict[str, object]]:
    rate = Decimal("1.25") + number % 2
    rates = {
        "input": rate, "cache_read": rate / 10, "cache_write": rate * Decimal("1.25"), "output": rate * 8,
        "reasoning": rate * 8,
    }  # fmt: skip
    amounts = {
        "input": row.input_tokens, "cache_read": row.cache_read_tokens, "cache_write": row.cache_write_tokens,
        "output": row.output_tokens, "reasoning": row.reasoning_tokens,
    }  # fmt: skip
    lines = [_line(bucket, amount, rates[bucket], 1_000_000) for bucket, amount in amounts.items() if amount]
    if number % 9 == 0:
        lines.append(_line(("web_search", "file_search")[number % 2], 1 + number % 2, Decimal(10_000), 1_000_000))
    return lines


def _line(bucket: str, amount: int, rate: Decimal, per: int) -> dict[str, object]:
    usd = f"{amount * rate / per:f}"
    return {"bucket": bucket, "quantity": amount, "usd_per_mtok": f"{rate.normalize():f}", "usd": usd}


def decisions(rows: list[OperationRow]) -> list[DecisionRow]:
    """One on most calls, and on some what rules that are only tried would have said, or one on a tool."""
    found: list[DecisionRow] = []
    for number, row in enumerate(rows):
        if number % 3 == 2:
            continue
        denied = row.code == "policy_denied" or number % 28 == 0
        found.append(_decision(row, number, "request", code="model_not_for_team" if denied else ""))
        if number % 4 == 0:
            differs = number % 8 == 0
            tried = _decision(row, number, "request", code="too_dear" if differs else "")
            tried.decision_id += "_tried"
            tried.shadow, tried.live_id, tried.differs = True, found[-1].decision_id, differs
            found.append(tried)
        if row.tool_calls == 1:
            found.append(_decision(row, number, "tool_call", code=HOSTILE[number % 7] if number % 6 == 1 else ""))
            found[-1].tool = ("search", HOSTILE[number % 7])[number % 2]
    return found


def _decision(row: OperationRow, number: int, point: str, code: str) -> DecisionRow:
    return DecisionRow(
        decision_id=f"dec_{number:04}_{point}",
        operation_id=row.operation_id,
        decided_at=stamp(moment(row.charged_at) + timedelta(milliseconds=1)),
        org=row.org,
        team=row.team,
        key_id=row.key_id,
        key_name=row.key_name,
        agent=row.agent,
        run=row.run,
        point=point,
        engine="embedded",
        revision=("a" * 12, "b" * 12)[number % 5 // 3],
        observed=bool(code) and number % 5 == 0,
        allow=not code,
        code=code,
        message=f"told {HOSTILE[number % 7]}" if code else "",
        obligations='[{"type":"cap_tokens"}]' if number % 7 == 0 else "[]",
        model=row.model,
        provider=row.provider,
        approval_id=f"apr_{number}" if number % 25 == 0 else "",
        latency_us=float(10 + number),
    )


def budget_states() -> list[BudgetStateRow]:
    """Twelve budgets told of every forty minutes for six days; some fill up, one has a limit of nothing."""
    return [
        _budget_state(budget, NOON - timedelta(days=5) + timedelta(minutes=40 * turn), turn)
        for turn in range(220)
        for budget in range(12)
    ]


def _budget_state(budget: int, at: datetime, turn: int) -> BudgetStateRow:
    spent, limit = Decimal(f"{(turn + 1) * (budget + 1)}.000000001"), Decimal(200 * (budget % 7))
    row = BudgetStateRow(
        at=stamp(at),
        org=("acme", "globex", HOSTILE[5])[budget % 3],
        name=f"budget-{budget}",
        scope=f"user:acme/{HOSTILE[budget % 7]}",
        unit="tokens" if budget % 5 == 4 else "usd",
        period="month",
        is_hard=budget % 2 == 0,
        limit_amount=str(limit),
        spent=str(spent),
        held=str(budget),
        remaining=str(max(limit - spent - budget, Decimal(0))),
        rungs=["0.8 alert", "0.9 downgrade"] if limit and spent / limit > Decimal("0.9") else [],
        resets_at=stamp(NOON + timedelta(days=11)),
    )
    if budget % 4:
        row.expected, row.low, row.high = str(spent * 2), str(spent), str(spent * 3)
        row.exhausted_at = stamp(NOON + timedelta(days=budget)) if budget % 4 == 1 else None
        row.exhausted_earliest_at = stamp(NOON + timedelta(days=budget - 1))
    else:
        row.unforeseen = "too_little_history"
    return row


def pipeline_states() -> list[PipelineStateRow]:
    """Two hosts told of every ten minutes for six days; one begins anew in the middle."""
    return [
        _pipeline_state(host, NOON - timedelta(days=5) + timedelta(minutes=10 * turn), turn)
        for turn in range(880)
        for host in range(2)
    ]


def _pipeline_state(host: int, at: datetime, turn: int) -> PipelineStateRow:
    since = turn - 725 if host and turn >= 725 else turn
    return PipelineStateRow(
        at=stamp(at),
        host=("here", HOSTILE[0])[host],
        lag_seconds=float(turn % 7) + 0.5,
        spool_bytes=turn * 1000 + host,
        sealed_segments=turn % 5,
        is_away=turn % 100 == 99,
        workers=2,
        unsettled=turn % 3,
        shipped_rows=since * 50,
        rejected_rows=since // 9,
        dropped_rows=since // 4,
    )


def audit() -> list[AuditRow]:
    """A change every half hour for six days, each shipped by two hosts."""
    actions = ("budget.put", "prices.take", "policy.promote", "key.rotate", "org.put", "limit.raise", "key.create")
    return [
        AuditRow(
            number=number,
            at=f"{stamp(NOON - timedelta(days=5) + timedelta(minutes=30 * number))}000000",
            actor=("anna", "flyball", HOSTILE[number % 7])[number % 3],
            role="owner",
            action=actions[number % len(actions)],
            subject=f"budget:{HOSTILE[number % 5]}",
            org=("", "acme", "globex")[number % 3],
            previous="",
            hash=f"{number}",
        )
        for number in range(300)
        for _ in range(2)
    ]


OPERATIONS = operations()
ATTEMPTS = attempts(OPERATIONS)
DECISIONS = decisions(OPERATIONS)
BUDGET_STATES = budget_states()
PIPELINE_STATES = pipeline_states()
AUDIT = audit()
TOOL_CALLS = tool_calls(OPERATIONS)
PRICE_BOOK = price_book()
