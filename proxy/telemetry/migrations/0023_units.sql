-- What was used where tokens are not the unit: images by quality and size, milliseconds, characters, calls.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS units Map(LowCardinality(String), UInt64);

ALTER TABLE {database}.attempts
    ADD COLUMN IF NOT EXISTS units Map(LowCardinality(String), UInt64);
