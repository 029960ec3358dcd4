-- Which tools models called, in whose calls: what a call's row only counts. A call is found by its operation.
CREATE TABLE IF NOT EXISTS {database}.tool_calls
(
    operation_id String CODEC(ZSTD(1)),
    called_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_id LowCardinality(String),
    key_name LowCardinality(String),
    agent LowCardinality(String),
    run String CODEC(ZSTD(1)),
    provider LowCardinality(String),
    model LowCardinality(String),
    number UInt16 DEFAULT 1 CODEC(T64, ZSTD(1)),
    tool LowCardinality(String),
    code LowCardinality(String),
    decision String CODEC(ZSTD(1)),
    worker LowCardinality(String),
    INDEX by_operation operation_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toMonday(called_at)
ORDER BY (org, called_at, operation_id, number)
TTL toDateTime(called_at) + INTERVAL {attempts_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;
