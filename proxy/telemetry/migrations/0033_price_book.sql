-- The prices that calls were priced by, entry by entry, told once for each version of the book and the overlay; several
-- hosts tell the same. Read with FINAL. NULL: no rate of its own, it goes by the plain one of its side.
CREATE TABLE IF NOT EXISTS {database}.price_book
(
    told_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version LowCardinality(String),
    origin LowCardinality(String),
    provider LowCardinality(String),
    model String CODEC(ZSTD(1)),
    since String CODEC(ZSTD(1)),
    also Array(String) CODEC(ZSTD(1)),
    source String CODEC(ZSTD(1)),
    multiplier Decimal(38, 18) DEFAULT '1' CODEC(ZSTD(1)),
    input_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    cache_read_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    cache_write_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    cache_write_1h_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    output_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    reasoning_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    audio_input_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    audio_output_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    image_input_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    image_output_usd_per_mtok Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    more String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(told_at)
ORDER BY (version, origin, provider, model, since)
SETTINGS non_replicated_deduplication_window = 20000;
