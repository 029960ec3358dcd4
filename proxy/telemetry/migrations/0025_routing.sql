-- How a call's target was chosen: JSON with the strategy, the candidates in their order with scores and reasons, and who
-- was left out and why; empty where there was nothing to choose. And what the model that was asked for would have cost
-- for the same usage, where another one served.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS routing String CODEC(ZSTD(3)),
    ADD COLUMN IF NOT EXISTS asked_usd Nullable(Decimal(18, 9));
