-- What was done to a call, or would have been, short of refusing it.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS would_by LowCardinality(String) AFTER would_code,
    ADD COLUMN IF NOT EXISTS ladder Array(LowCardinality(String)) AFTER would_by,
    ADD COLUMN IF NOT EXISTS clamped_to UInt32 CODEC(T64, ZSTD(1)) AFTER ladder,
    ADD COLUMN IF NOT EXISTS run_depth UInt16 CODEC(T64, ZSTD(1)) AFTER parent_run;
