-- What policy decided at each point where a rule stood: enough to explain a decision and to decide it again.
CREATE TABLE IF NOT EXISTS {database}.decisions
(
    decision_id String CODEC(ZSTD(1)),
    operation_id String CODEC(ZSTD(1)),
    decided_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_id LowCardinality(String),
    key_name LowCardinality(String),
    end_user String CODEC(ZSTD(1)),
    agent LowCardinality(String),
    run String CODEC(ZSTD(1)),
    point LowCardinality(String),
    engine LowCardinality(String),
    revision LowCardinality(String),
    shadow Bool,
    observed Bool,
    allow Bool,
    code LowCardinality(String),
    message String CODEC(ZSTD(1)),
    internal String CODEC(ZSTD(1)),
    denials Array(LowCardinality(String)),
    obligations String DEFAULT '[]' CODEC(ZSTD(1)),
    tool String CODEC(ZSTD(1)),
    model LowCardinality(String),
    provider LowCardinality(String),
    approval_id String CODEC(ZSTD(1)),
    latency_us Float32 CODEC(ZSTD(1)),
    input String CODEC(ZSTD(3)),
    unread Array(LowCardinality(String)),
    worker LowCardinality(String),
    INDEX by_operation operation_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_decision decision_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (org, decided_at, decision_id)
TTL toDateTime(decided_at) + INTERVAL {decisions_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;
