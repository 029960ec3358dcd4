"""One worker's caches."""

from typing import Final

from proxy.cache.repeats import Repeats
from proxy.cache.settings import CacheSettings
from proxy.cache.shadow import ShadowBook

_MB: Final = 1_048_576


class Cache:
    """What one of a host's `workers` keeps, within its share of what the host may keep."""

    def __init__(self, settings: CacheSettings, *, workers: int = 1) -> None:
        self.shadow: Final = ShadowBook(settings.exact.max_mb * _MB // workers // 4)
        self.repeats: Final = Repeats()
