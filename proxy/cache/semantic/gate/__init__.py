"""The second gate: whether two texts that are alike ask the same."""

from proxy.cache.semantic.gate.reading import Reading, difference, is_same, read

__all__ = ["Reading", "difference", "is_same", "read"]
