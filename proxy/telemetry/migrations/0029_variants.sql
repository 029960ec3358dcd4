-- Targets of a route beside each other: whose call it was, how alike the answer to a copy is to what the client was
-- answered (words in common, 0 to 1), and what version of its model the provider said it was.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS variant LowCardinality(String),
    ADD COLUMN IF NOT EXISTS similarity Nullable(Float32);

ALTER TABLE {database}.corrections
    ADD COLUMN IF NOT EXISTS variant LowCardinality(String);

-- An attempt knows its own target: where that fails and another one serves, the operation has the other's name.
ALTER TABLE {database}.attempts
    ADD COLUMN IF NOT EXISTS route LowCardinality(String),
    ADD COLUMN IF NOT EXISTS variant LowCardinality(String),
    ADD COLUMN IF NOT EXISTS system_fingerprint LowCardinality(String);
