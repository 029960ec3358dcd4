-- How alike a question was to the kept one whose answer it got, or would have got, and how alike that answer was to what
-- the provider said: from 0 to 1, NULL where nobody compared them.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS cache_similarity Float32,
    ADD COLUMN IF NOT EXISTS cache_agreement Nullable(Float32);
