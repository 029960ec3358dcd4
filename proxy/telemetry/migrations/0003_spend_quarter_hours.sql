-- Quarter-hours, because time zones are whole quarter-hours from UTC: local days are sums of these.
CREATE TABLE IF NOT EXISTS {database}.spend_quarter_hours
(
    quarter DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    agent LowCardinality(String),
    cost_center LowCardinality(String),
    outcome LowCardinality(String),
    calls UInt64 CODEC(T64, ZSTD(1)),
    unpriced UInt64 CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 9) CODEC(ZSTD(1)),
    list_usd Decimal(38, 9) CODEC(ZSTD(1)),
    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_output_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_output_tokens UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(quarter)
ORDER BY (org, quarter, team, key_name, model, provider, agent, cost_center, outcome)
TTL quarter + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.spend_quarter_hours_mv TO {database}.spend_quarter_hours AS
SELECT
    toStartOfFifteenMinutes(charged_at) AS quarter,
    org, team, key_name, model, provider, agent, cost_center, outcome,
    count() AS calls,
    countIf(o.cost_usd IS NULL AND outcome NOT IN ('refused', 'cached')) AS unpriced,
    sum(toDecimal128(ifNull(o.cost_usd, 0), 9)) AS cost_usd,
    sum(toDecimal128(ifNull(o.list_usd, 0), 9)) AS list_usd,
    sum(o.input_tokens) AS input_tokens,
    sum(o.cache_read_tokens) AS cache_read_tokens,
    sum(o.cache_write_tokens) AS cache_write_tokens,
    sum(o.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(o.output_tokens) AS output_tokens,
    sum(o.reasoning_tokens) AS reasoning_tokens,
    sum(o.audio_input_tokens) AS audio_input_tokens,
    sum(o.audio_output_tokens) AS audio_output_tokens,
    sum(o.image_input_tokens) AS image_input_tokens,
    sum(o.image_output_tokens) AS image_output_tokens
FROM {database}.operations AS o
GROUP BY quarter, org, team, key_name, model, provider, agent, cost_center, outcome;
