-- What a shadow decision is compared with: the one that counted, where rules beyond the grant made it.
ALTER TABLE {database}.decisions
    ADD COLUMN IF NOT EXISTS live_id String CODEC(ZSTD(1)) AFTER shadow,
    ADD COLUMN IF NOT EXISTS differs Bool AFTER live_id;
