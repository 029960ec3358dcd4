"""The semantic cache: answers to requests of the same meaning (docs/cache.md)."""
