"""Metering: what a call used, told by the provider or counted by us."""

from proxy.metering.by_dialect import usage_told
from proxy.metering.settings import MeteringSettings
from proxy.metering.tokens import InputCount, TokenCounter
from proxy.metering.usage import estimated, normalise
from proxy.metering.vocabulary import preload as preload_vocabulary

__all__ = [
    "InputCount",
    "MeteringSettings",
    "TokenCounter",
    "estimated",
    "normalise",
    "preload_vocabulary",
    "usage_told",
]
