-- What a reprice changes: rows of operations stay as they were written, the difference stands here, beside all that
-- spend is grouped and filtered by. `unpriced` is -1 where a call that had no price has one now.
CREATE TABLE IF NOT EXISTS {database}.corrections
(
    correction_id String CODEC(ZSTD(1)),
    operation_id String CODEC(ZSTD(1)),
    charged_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    made_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_id LowCardinality(String),
    key_name LowCardinality(String),
    cost_center LowCardinality(String),
    owner LowCardinality(String),
    end_user String CODEC(ZSTD(1)),
    agent LowCardinality(String),
    run String CODEC(ZSTD(1)),
    tags Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    dialect LowCardinality(String),
    endpoint LowCardinality(String),
    streamed Bool,
    requested_model LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    route LowCardinality(String),
    outcome LowCardinality(String),
    code LowCardinality(String),
    refused_by LowCardinality(String),
    would_code LowCardinality(String),
    would_by LowCardinality(String),
    ladder Array(LowCardinality(String)),
    status UInt16,
    error String CODEC(ZSTD(1)),
    finish_reason LowCardinality(String),
    usage_source LowCardinality(String),
    service_tier LowCardinality(String),
    price_version LowCardinality(String),
    price_source LowCardinality(String),
    client LowCardinality(String),
    delta_usd Decimal(18, 9) CODEC(ZSTD(1)),
    list_delta_usd Decimal(18, 9) CODEC(ZSTD(1)),
    unpriced Int8 CODEC(ZSTD(1)),
    from_version LowCardinality(String),
    to_version LowCardinality(String),
    reason LowCardinality(String),
    INDEX by_operation operation_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(charged_at)
ORDER BY (org, charged_at, operation_id)
TTL toDateTime(charged_at) + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

-- Corrections are summed where the money of calls is summed, so that whoever asks for it need not know of them.
-- Sums of UInt64 wrap around, so that minus one unpriced call takes one away.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.spend_quarter_hours_corrected_mv TO {database}.spend_quarter_hours AS
SELECT
    toStartOfFifteenMinutes(charged_at) AS quarter, org, team, key_name, model, provider, agent, cost_center, outcome,
    sum(toUInt64(c.unpriced)) AS unpriced,
    sum(toDecimal128(c.delta_usd, 9)) AS cost_usd,
    sum(toDecimal128(c.list_delta_usd, 9)) AS list_usd
FROM {database}.corrections AS c
GROUP BY quarter, org, team, key_name, model, provider, agent, cost_center, outcome;
