"""The semantic cache: answers to requests of the same meaning (docs/cache.md)."""

from proxy.cache.semantic.settings import SemanticMode, SemanticSettings, semantic_problems

__all__ = ["SemanticMode", "SemanticSettings", "semantic_problems"]
