"""The registry of tools: what is known of those that models call (docs/kill-switches.md)."""
