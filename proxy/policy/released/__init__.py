"""Which tool calls have reached their clients: what a result in a later request may answer to (docs/policy.md)."""
