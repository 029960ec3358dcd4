-- How things stood: budgets whenever they changed, at most once a minute, and telemetry itself once a minute.
-- Amounts are dollars, tokens or calls, as `unit` says. Several hosts that share their budgets may tell the same.
CREATE TABLE IF NOT EXISTS {database}.budget_states
(
    at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    name LowCardinality(String),
    scope String CODEC(ZSTD(1)),
    scopes UInt32 CODEC(T64, ZSTD(1)),
    unit LowCardinality(String),
    period LowCardinality(String),
    is_hard Bool,
    is_observed Bool,
    limit_amount Decimal(38, 9) CODEC(ZSTD(1)),
    spent Decimal(38, 9) CODEC(ZSTD(1)),
    held Decimal(38, 9) CODEC(ZSTD(1)),
    overrun Decimal(38, 9) CODEC(ZSTD(1)),
    remaining Decimal(38, 9) CODEC(ZSTD(1)),
    rungs Array(LowCardinality(String)),
    resets_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    expected Nullable(Decimal(38, 9)) CODEC(ZSTD(1)),
    low Nullable(Decimal(38, 9)) CODEC(ZSTD(1)),
    high Nullable(Decimal(38, 9)) CODEC(ZSTD(1)),
    exhausted_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    exhausted_earliest_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    unforeseen LowCardinality(String),
    host LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (org, name, at)
TTL toDateTime(at) + INTERVAL {attempts_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

-- Counts since the processes that tell them were started first; `lag_seconds` and what follows are of that moment.
CREATE TABLE IF NOT EXISTS {database}.pipeline_states
(
    at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    host LowCardinality(String),
    lag_seconds Float32 CODEC(ZSTD(1)),
    spool_bytes UInt64 CODEC(T64, ZSTD(1)),
    sealed_segments UInt64 CODEC(T64, ZSTD(1)),
    is_away Bool,
    workers UInt32 CODEC(T64, ZSTD(1)),
    unsettled UInt64 CODEC(T64, ZSTD(1)),
    shipped_rows UInt64 CODEC(T64, ZSTD(1)),
    rejected_rows UInt64 CODEC(T64, ZSTD(1)),
    dropped_rows UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (host, at)
TTL toDateTime(at) + INTERVAL {attempts_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;
