"""Vectors of texts: what is near in meaning is near in them."""

from proxy.cache.semantic.embedding.embedder import Embedder, EmbedderAway

__all__ = ["Embedder", "EmbedderAway"]
