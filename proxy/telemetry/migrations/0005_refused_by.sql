-- What refused a call, named as in would_by.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS refused_by LowCardinality(String) AFTER code;
