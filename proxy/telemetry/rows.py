"""The rows that are written: one operation per client call, one attempt per upstream request, one per decision,
one per call of a tool, one per entry of the audit chain, one each time it is told how a budget or telemetry itself
stands, one per entry of the prices.

The fields are the columns of the tables of the same name (telemetry/migrations); a test compares the two.
Money travels as decimal text of dollars, so that no float is ever made of it; times as DateTime64 text in UTC.
A field that has its default value is not written: the column has the same default, which a test compares.
"""

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec


class Table(StrEnum):
    """A table that rows are spooled for."""

    OPERATIONS = "operations"
    ATTEMPTS = "attempts"
    DECISIONS = "decisions"
    AUDIT = "audit"
    SEGMENTS = "shipped_segments"
    BUDGET_STATES = "budget_states"
    PIPELINE_STATES = "pipeline_states"
    TOOL_CALLS = "tool_calls"
    PRICE_BOOK = "price_book"


class Tokens(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Token columns, one per bucket of core.usage."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0


class Traced(Tokens, kw_only=True):
    """A row's place in a trace, in hex; empty where OpenTelemetry is off. `trace_flags` are W3C's, 1 is recorded."""

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_flags: int = 0


class OperationRow(Traced, kw_only=True):
    """What one client call was, did, used and cost. Money in dollars as decimal text, durations in milliseconds.

    `segment` is the spool segment that it was shipped in, by the time of the segment's first row in nanoseconds.
    `stages_us` is written (telemetry/stages.py), `stages_ms` is what is shown, and what older rows have;
    `provider_request_id` is its last attempt's, and written there only. `purpose` is `serve` for a client's call;
    for one that Flyball makes itself, on the org's overhead account, `beside` is the operation it is made beside.
    `variant` is what its target is called by; `similarity`, 0 to 1, is how alike the answer to a copy is to the one of
    the call it was made beside.
    """

    operation_id: str
    charged_at: str
    finished_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    cost_center: str = ""
    owner: str = ""
    end_user: str = ""
    agent: str = ""
    run: str = ""
    run_source: str = ""
    parent_run: str = ""
    run_depth: int = 0
    step: str = ""
    tags: dict[str, str] = {}
    dialect: str = "openai"
    endpoint: str = ""
    streamed: bool = False
    requested_model: str = ""
    model: str = ""
    provider: str = ""
    route: str = ""
    outcome: str = ""
    code: str = ""
    refused_by: str = ""
    would_code: str = ""
    would_by: str = ""
    ladder: list[str] = []
    clamped_to: int = 0
    status: int = 0
    attempts: int = 0
    finish_reason: str = ""
    tool_calls: int = 0
    tool_fees: dict[str, int] = {}
    units: dict[str, int] = {}
    usage_source: str = "none"
    usage_flaws: list[str] = []
    service_tier: str = ""
    cost_usd: str | None = None
    list_usd: str | None = None
    stated_usd: str | None = None
    asked_usd: str | None = None
    held_usd: str = "0.00"
    overrun_usd: str = "0.00"
    cache_status: str = ""
    cache_kind: str = ""
    cache_entry: str = ""
    cache_age_s: int = 0
    cache_saved_usd: str = "0.00"
    cache_would_save_usd: str = "0.00"
    cache_similarity: float = 0.0
    cache_agreement: float | None = None
    price_version: str = ""
    price_source: str = ""
    duration_ms: float = 0.0
    ttft_ms: float | None = None
    overhead_ms: float = 0.0
    stages_ms: dict[str, float] = {}
    stages_us: dict[str, int] = {}
    request_bytes: int = 0
    response_bytes: int = 0
    client: str = ""
    reason: str = ""
    routing: str = ""
    error: str = ""
    provider_request_id: str = ""
    policy_revision: str = ""
    decision: str = ""
    config_generation: str = ""
    worker: str = ""
    segment: int = 0
    purpose: str = "serve"
    beside: str = ""
    variant: str = ""
    similarity: float | None = None


class AttemptRow(Traced, kw_only=True):
    """What one upstream request did and cost. `price_lines` is JSON: one unrounded line per bucket and tool fee.

    `route` stands where targets of it have names: `variant` is the one that was asked here.
    """

    attempt_id: str
    operation_id: str
    started_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    number: int = 1
    purpose: str = "serve"
    endpoint: str = ""
    streamed: bool = False
    provider: str = ""
    sent_model: str = ""
    model: str = ""
    outcome: str = ""
    status: int = 0
    error: str = ""
    finish_reason: str = ""
    raw_usage: str = ""
    usage_source: str = "none"
    usage_flaws: list[str] = []
    service_tier: str = ""
    tool_fees: dict[str, int] = {}
    units: dict[str, int] = {}
    cost_usd: str | None = None
    list_usd: str | None = None
    stated_usd: str | None = None
    price_version: str = ""
    price_source: str = ""
    price_lines: str = "[]"
    duration_ms: float = 0.0
    ttft_ms: float | None = None
    response_bytes: int = 0
    provider_request_id: str = ""
    retry_after_s: int | None = None
    worker: str = ""
    system_fingerprint: str = ""
    route: str = ""
    variant: str = ""


class ToolCallRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One call of a tool that a model asked a client for; of more than 128 in an answer the first.

    `called_at` is when the client's call came in, `number` counts within the answer. `code`: the rule's that took it
    out of the answer, empty where it reached the client; `decision` is that decision's id, empty for the gate's own.
    """

    operation_id: str
    called_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    agent: str = ""
    run: str = ""
    provider: str = ""
    model: str = ""
    number: int = 1
    tool: str = ""
    code: str = ""
    decision: str = ""
    worker: str = ""


class PriceRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One entry of the prices of a version. `origin`: `book`, `overlay` or `assumed`; an empty provider means any.

    Rates are dollars a million tokens as decimal text, before `multiplier`, the negotiated adjustment; None where an
    entry has none of its own. `since` is an ISO date, empty for always. `more` is JSON: tiers, regions, fees, units.
    """

    told_at: str
    version: str
    origin: str
    provider: str = ""
    model: str = ""
    since: str = ""
    also: list[str] = []
    source: str = ""
    multiplier: str = "1"
    input_usd_per_mtok: str | None = None
    cache_read_usd_per_mtok: str | None = None
    cache_write_usd_per_mtok: str | None = None
    cache_write_1h_usd_per_mtok: str | None = None
    output_usd_per_mtok: str | None = None
    reasoning_usd_per_mtok: str | None = None
    audio_input_usd_per_mtok: str | None = None
    audio_output_usd_per_mtok: str | None = None
    image_input_usd_per_mtok: str | None = None
    image_output_usd_per_mtok: str | None = None
    more: str = ""


class DecisionRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What policy decided at one point of a call. `latency_us` in microseconds; `obligations` and `input` are JSON.

    `input` holds no text of messages, and of a tool's arguments only their shape. `unread` names the members of it
    that are not what a rule may have seen: left empty since no rule read them, or not kept. `observed`: a no that was
    only observed. `denials` are the codes of all that said no, those to one candidate of a route as `code:candidate`.
    `shadow`: made by rules that are only tried; `live_id` is the decision that counted, empty where only the grant is
    loaded, and `differs` tells whether the two are not the same.
    """

    decision_id: str
    operation_id: str
    decided_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    end_user: str = ""
    agent: str = ""
    run: str = ""
    point: str = ""
    engine: str = ""
    revision: str = ""
    shadow: bool = False
    live_id: str = ""
    differs: bool = False
    observed: bool = False
    allow: bool = False
    code: str = ""
    message: str = ""
    internal: str = ""
    denials: list[str] = []
    obligations: str = "[]"
    tool: str = ""
    model: str = ""
    provider: str = ""
    approval_id: str = ""
    latency_us: float = 0.0
    input: str = ""
    unread: list[str] = []
    worker: str = ""


class AuditRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One entry of the audit chain. `at` to the nanosecond; `before` and `after` are JSON, empty for none.

    An empty `org` or `team` concerns all. `hash` covers everything else in the row, `previous` is the one before it.
    """

    number: int
    at: str
    actor: str
    role: str
    action: str
    subject: str
    org: str = ""
    team: str = ""
    before: str = ""
    after: str = ""
    previous: str
    hash: str


class SegmentRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One segment of operations as it was shipped, chained to the one that the same spool shipped before.

    `first_ns` is what its rows have as `segment`; `digest` covers what they say (telemetry/proofs.py).
    """

    spool: str
    number: int
    shipped_at: str
    segment: str
    first_ns: int
    rows: int
    digest: str
    previous: str
    hash: str


class BudgetStateRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How a budget stood. Amounts are in dollars, tokens or calls, as `unit` says, as decimal text; `rungs` those of
    its ladder that it stood on. A budget for each of many stands as its fullest scope, one of `scopes`.

    `expected`, `low` and `high` are what its window was foreseen to come to; `unforeseen` says why they are not there.
    """

    at: str
    org: str
    name: str
    scope: str
    scopes: int = 0
    unit: str
    period: str
    is_hard: bool = False
    is_observed: bool = False
    limit_amount: str
    spent: str = "0.00"
    held: str = "0.00"
    overrun: str = "0.00"
    remaining: str = "0.00"
    rungs: list[str] = []
    resets_at: str | None = None
    expected: str | None = None
    low: str | None = None
    high: str | None = None
    exhausted_at: str | None = None
    exhausted_earliest_at: str | None = None
    unforeseen: str = ""
    host: str = ""


class PipelineStateRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How the telemetry of a host stood: what lay in its spool, and counts of rows since its processes began."""

    at: str
    host: str
    lag_seconds: float = 0.0
    spool_bytes: int = 0
    sealed_segments: int = 0
    is_away: bool = False
    workers: int = 0
    unsettled: int = 0
    shipped_rows: int = 0
    rejected_rows: int = 0
    dropped_rows: int = 0


Row: TypeAlias = (
    OperationRow
    | AttemptRow
    | ToolCallRow
    | DecisionRow
    | AuditRow
    | SegmentRow
    | BudgetStateRow
    | PipelineStateRow
    | PriceRow
)

ROWS: Final[dict[Table, type[Row]]] = {
    Table.OPERATIONS: OperationRow,
    Table.ATTEMPTS: AttemptRow,
    Table.DECISIONS: DecisionRow,
    Table.AUDIT: AuditRow,
    Table.SEGMENTS: SegmentRow,
    Table.BUDGET_STATES: BudgetStateRow,
    Table.PIPELINE_STATES: PipelineStateRow,
    Table.TOOL_CALLS: ToolCallRow,
    Table.PRICE_BOOK: PriceRow,
}

_ENCODER: Final = msgspec.json.Encoder()


def encode(row: Row) -> bytes:
    """One JSON line, with its newline. Half of a surrogate pair, which a provider may have written and UTF-8 cannot
    hold, becomes a question mark: a row is never lost for it."""
    try:
        return _ENCODER.encode(row) + b"\n"
    except UnicodeEncodeError:
        return _ENCODER.encode(_sayable(msgspec.to_builtins(row))) + b"\n"


def _sayable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sayable(name): _sayable(each) for name, each in value.items()}
    return [_sayable(each) for each in value] if isinstance(value, list) else value
