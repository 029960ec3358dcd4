"""Every metric of `/metrics`: its kind, its labels and where their values come from. docs/metrics.md says the same."""

from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
OTHER: Final = "other"
"""What every value becomes that is not in a label's list."""


class Metric(NamedTuple):
    """One metric. `labels` in the order they are written; `buckets` are a histogram's bounds in seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


DURATION_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
TTFT_S: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
OVERHEAD_S: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)

METRICS: Final = (
    Metric(
        "flyball_operations_total",
        "counter",
        "Finished client calls by how they ended.",
        ("endpoint", "outcome", "code"),
    ),
    Metric("flyball_refusals_total", "counter", "Refusals by code, those without a valid key included.", ("code",)),
    Metric("flyball_tokens_total", "counter", "Tokens by provider and class.", ("provider", "class")),
    Metric(
        "flyball_spend_nanodollars_total",
        "counter",
        "Spend in billionths of a dollar, whole.",
        ("org", "provider"),
    ),
    Metric("flyball_unpriced_requests_total", "counter", "Calls served without a known price."),
    Metric("flyball_unauthorised_total", "counter", "Calls refused for lack of a valid key."),
    Metric(
        "flyball_duration_seconds",
        "histogram",
        "Client calls from their first byte in to their last byte out.",
        ("endpoint",),
        DURATION_S,
    ),
    Metric(
        "flyball_ttft_seconds", "histogram", "From a call's first byte in to the first output.", ("provider",), TTFT_S
    ),
    Metric("flyball_overhead_seconds", "histogram", "What Flyball itself took of a call.", (), OVERHEAD_S),
    Metric(
        "flyball_upstream_attempts_total",
        "counter",
        "Requests to providers by how they ended and what failed.",
        ("provider", "outcome", "failure"),
    ),
    Metric(
        "flyball_provider_key_workers",
        "gauge",
        "Workers that call a provider with this one of its two keys, once they have called it.",
        ("provider", "key"),
    ),
    Metric(
        "flyball_target_workers",
        "gauge",
        "Workers of this host by what they make of a target: the state of its breaker, or that it asked to be left "
        "alone. Of targets asked within a minute, and of those that are left alone.",
        ("provider", "model", "state"),
    ),
    Metric(
        "flyball_target_headroom_ratio",
        "gauge",
        "What is left of the tightest of a target's rate limits, as its headers told last; 1 where they tell none.",
        ("provider", "model"),
    ),
    Metric("flyball_breaker_openings_total", "counter", "Times that breakers of targets opened.", ("provider",)),
    Metric(
        "flyball_health_shared",
        "gauge",
        "Whether every worker that reports hears of the others' targets; 0: each goes by its own calls.",
    ),
    Metric("flyball_live_streams", "gauge", "Streams that are open now."),
    Metric("flyball_open_holds", "gauge", "Calls of this host's workers that money is held for now."),
    Metric(
        "flyball_budget_usage_ratio",
        "gauge",
        "Spent and held over the limit; of a budget on a pattern its fullest scope. At most 500 budgets, by name.",
        ("budget",),
    ),
    Metric("flyball_policy_decisions_total", "counter", "Decisions of policy that counted.", ("point", "result")),
    Metric(
        "flyball_policy_shadow_total",
        "counter",
        "Shadow decisions of policy, by whether they differ from what counted, failed or were dropped.",
        ("result",),
    ),
    Metric(
        "flyball_errands_total",
        "counter",
        "Requests that Flyball makes to providers for itself, on overhead accounts, by what came of them.",
        ("purpose", "outcome"),
    ),
    Metric("flyball_policy_alerts_dropped_total", "counter", "Alerts of a policy's rules not noted, for want of room."),
    Metric(
        "flyball_policy_takes_total",
        "counter",
        "Times that policies were taken, refused, or not fetched.",
        ("outcome",),
    ),
    Metric("flyball_policy_stale", "gauge", "Whether other policies could not be taken, so that the old ones decide."),
    Metric(
        "flyball_findings_total", "counter", "Findings in requests by kind; sent again they are found again.", ("kind",)
    ),
    Metric("flyball_kill_switches", "gauge", "Kill switches that are set, by kind.", ("kind",)),
    Metric("flyball_workers", "gauge", "Worker processes that report."),
    Metric("flyball_process_restarts_total", "counter", "Processes that died and were started again.", ("role",)),
    Metric("flyball_ledger_up", "gauge", "Whether every worker that reports reaches the ledger."),
    Metric("flyball_ledger_unsettled", "gauge", "Calls recorded and not settled yet, for want of the ledger."),
    Metric(
        "flyball_rows_dropped_total", "counter", "Telemetry rows lost on the way to the spool.", ("table", "reason")
    ),
    Metric("flyball_spool_bytes", "gauge", "Room that rows take which are not in ClickHouse yet."),
    Metric("flyball_spool_segments", "gauge", "Sealed segments of rows that are not in ClickHouse yet."),
    Metric("flyball_telemetry_lag_seconds", "gauge", "Age of the oldest sealed row that is not in ClickHouse."),
    Metric("flyball_telemetry_up", "gauge", "Whether ClickHouse took what was sent last."),
    Metric("flyball_rows_shipped_total", "counter", "Rows that ClickHouse has taken since the collector started."),
    Metric("flyball_rows_rejected_total", "counter", "Rows put aside since ClickHouse refused them for their content."),
    Metric(
        "flyball_rows_forgotten_total", "counter", "Rows put aside and deleted since there was no room to keep more."
    ),
    Metric(
        "flyball_check_shipped_operations",
        "gauge",
        "Operations shipped in the quarter of an hour before ClickHouse was compared with what was shipped.",
    ),
    Metric("flyball_check_missing_operations", "gauge", "Of these, how many are not in ClickHouse. Should be 0."),
    Metric("flyball_check_doubled_operations", "gauge", "Of these, how many stand there more than once. Should be 0."),
    Metric(
        "flyball_check_rollup_difference",
        "gauge",
        "Calls of two full quarter-hours that operations have more than the rollup of spend. Should be 0.",
    ),
    Metric("flyball_check_timestamp_seconds", "gauge", "When ClickHouse was compared so, once a minute; 0: not yet."),
    Metric(
        "flyball_otel_spans_total", "counter", "Spans for OpenTelemetry that its receiver took or not.", ("result",)
    ),
    Metric("flyball_otel_rows_dropped_total", "counter", "Rows that were not told to OpenTelemetry: it was too slow."),
    Metric("flyball_decision_log_sent_total", "counter", "Decisions that the server of decision logs has taken."),
    Metric("flyball_decision_log_retries_total", "counter", "Batches of decisions that are tried again."),
    Metric("flyball_decision_log_pending_bytes", "gauge", "Decisions that wait for the server of decision logs."),
    Metric("flyball_decision_log_dropped_total", "counter", "Decisions that the server did not get.", ("reason",)),
    Metric("flyball_alerts_total", "counter", "Alerts raised, by kind.", ("kind",)),
    Metric(
        "flyball_alert_deliveries_total",
        "counter",
        "Attempts to tell a receiver of an alert, by what came of them.",
        ("receiver", "result"),
    ),
    Metric("flyball_alert_deliveries_dropped_total", "counter", "Alerts forgotten before a receiver had been told."),
    Metric("flyball_alert_deliveries_pending", "gauge", "Alerts that wait for a receiver to take them.", ("receiver",)),
)
BY_NAME: Final = {metric.name: metric for metric in METRICS}

LABELS: Final = {
    "endpoint": "the endpoints that are read: `chat.completions`, `completions`, `responses`, `embeddings`, "
    "`gemini.generate_content`, `bedrock.converse`, …",
    "purpose": "`shadow`, `cache_embed`, `cache_audit`, `judge`: why Flyball asks for itself",
    "outcome": "`ok`, `cached`, `cancelled`, `truncated`, `refused`, `upstream_error`, `lost`; of policies `taken`, "
    "`refused`, `fetch_failed`; of errands also `too_large`, `denied`, `no_room`, `no_money`, `budget_exceeded`",
    "code": "the codes of refusals (DESIGN §3), empty for none",
    "provider": "the names of providers in the configuration, the first 100; empty where none was asked",
    "model": "models that the configuration or the price book names, the first 100",
    "state": "of breakers `closed`, `open`, `half_open`, `returning`; `cooling` after a 429",
    "key": "`api_key`, `api_key_next`",
    "class": "the classes of tokens, as the columns `…_tokens` of `operations`",
    "org": "the names of orgs, the first 200 that spend",
    "failure": "how reaching a provider can fail (`idle_timeout`, `refused`, …), `http_4xx`, `http_429`, `http_5xx`, "
    "`in_band_error`, `context_length`, `content_filter`, empty for none",
    "budget": "the names of budgets",
    "point": "`request`, `route`, `tool_call`, `response`",
    "result": "of decisions `allow`, `deny`; of shadow decisions `same`, `differs`, `failed`, `dropped`; of spans "
    "`sent`, `failed`; of deliveries `sent`, `retried`, `failed`",
    "kind": "kinds of findings, the first 100; of kill switches; of alerts",
    "role": "`worker`, `collector`, `admin`, `sim`",
    "table": "the tables that rows are spooled for",
    "reason": "`full`, `disk`; of decision logs why the server did not get them",
    "receiver": "the names of `alerts.receivers`",
}
