-- The audit chain as it was shipped. Several hosts may ship the same entry: identical ones collapse, and entries of
-- one number that differ stay side by side, for `flyball audit verify` to see.
CREATE TABLE IF NOT EXISTS {database}.audit
(
    number UInt64 CODEC(Delta, ZSTD(1)),
    at DateTime64(9, 'UTC') CODEC(ZSTD(1)),
    actor LowCardinality(String),
    role LowCardinality(String),
    action LowCardinality(String),
    subject String CODEC(ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    before String CODEC(ZSTD(3)),
    after String CODEC(ZSTD(3)),
    previous String CODEC(ZSTD(1)),
    hash String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(at)
ORDER BY (org, at, number, hash)
TTL toDateTime(at) + INTERVAL {audit_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;
