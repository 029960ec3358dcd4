"""Bundles in OPA's format: archives of policies with a manifest and, where keys are set, a signature over all of it."""

from proxy.policy.bundles.reading import PackedBundle, read_archive
from proxy.policy.bundles.settings import BundleKey, BundleSettings

__all__ = ["BundleKey", "BundleSettings", "PackedBundle", "read_archive"]
