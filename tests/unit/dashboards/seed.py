"""The rows that the boards are asked about: hostile names, every outcome, five weeks before and in the range."""

from datetime import UTC, datetime, timedelta

from proxy.telemetry.rows import AttemptRow, DecisionRow, OperationRow

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
    outcome = OUTCOMES[number % 10]
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
        row.cost_usd, row.list_usd = f"0.0{number:03}00{number % 10}1", f"0.1{number:03}"
    _measure(row, number)
    return row


def _measure(row: OperationRow, number: int) -> None:
    row.streamed = number % 3 == 0
    row.duration_ms = float(100 + number)
    row.ttft_ms = float(1 + number) if number % 4 else None
    row.overhead_ms = 0.5 + number % 8
    row.stages_ms = {"identify": 0.25, "policy": float(number % 4), "hold": 0.5}


OPERATIONS = operations()
ATTEMPTS: list[AttemptRow] = []
DECISIONS: list[DecisionRow] = []
