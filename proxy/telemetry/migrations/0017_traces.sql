-- A row's place in a trace, where OpenTelemetry is on.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS trace_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS span_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS parent_span_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS trace_flags UInt8 CODEC(ZSTD(1));

ALTER TABLE {database}.attempts
    ADD COLUMN IF NOT EXISTS trace_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS span_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS parent_span_id String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS trace_flags UInt8 CODEC(ZSTD(1));
