-- What our caches did for a call: `hit`, `miss`, `bypass`, or `would_hit` where a cache only watches; which kind of cache,
-- the entry (the operation whose answer it is), how old it was, and what was saved or would have been.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS cache_status LowCardinality(String),
    ADD COLUMN IF NOT EXISTS cache_kind LowCardinality(String),
    ADD COLUMN IF NOT EXISTS cache_entry String,
    ADD COLUMN IF NOT EXISTS cache_age_s UInt32,
    ADD COLUMN IF NOT EXISTS cache_saved_usd Decimal(18, 9) CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_would_save_usd Decimal(18, 9) CODEC(T64, ZSTD(1));
