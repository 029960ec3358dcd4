-- Which segment a row was shipped in, and a chain of what each segment held: proof that rows are as they were shipped.
ALTER TABLE {database}.operations ADD COLUMN IF NOT EXISTS segment UInt64 CODEC(Delta, ZSTD(1));

CREATE TABLE IF NOT EXISTS {database}.shipped_segments
(
    spool LowCardinality(String),
    number UInt64 CODEC(Delta, ZSTD(1)),
    shipped_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    segment String CODEC(ZSTD(1)),
    first_ns UInt64 CODEC(Delta, ZSTD(1)),
    rows UInt32 CODEC(T64, ZSTD(1)),
    digest String CODEC(ZSTD(1)),
    previous String CODEC(ZSTD(1)),
    hash String CODEC(ZSTD(1)),
    INDEX by_segment first_ns TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(shipped_at)
ORDER BY (spool, number, hash)
TTL toDateTime(shipped_at) + INTERVAL {audit_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;
