-- What Flyball asks of providers for itself are operations of the org's overhead account: why, and beside which call.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS purpose LowCardinality(String) DEFAULT 'serve',
    ADD COLUMN IF NOT EXISTS beside String CODEC(ZSTD(1));

ALTER TABLE {database}.corrections
    ADD COLUMN IF NOT EXISTS purpose LowCardinality(String) DEFAULT 'serve';
