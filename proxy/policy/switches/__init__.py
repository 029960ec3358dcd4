"""Kill switches: what people have turned off, until it is lifted or ends by itself (docs/kill-switches.md)."""
