"""The ledger for more than one host: Redis 7 or newer, one atomic script per step (docs/adr/006-redis-ledger.md)."""
