"""Metering: what a call used, told by the provider or counted by us."""

from proxy.metering.usage import estimated, normalise

__all__ = ["estimated", "normalise"]
