"""The semantic cache of one worker, if any organisation has one."""

from typing import TYPE_CHECKING, Final

from proxy.app.stores import body_key_of
from proxy.config import Config

if TYPE_CHECKING:
    from proxy.cache import SemanticCache

FILE: Final = "semantic.sqlite"


def open_semantic(config: Config) -> "SemanticCache | None":
    """The semantic cache in the state folder; None, and nothing is loaded for it, where all settings disable it."""
    settings = config.settings.cache
    if not settings.is_semantic:
        return None
    from proxy.cache import SemanticCache  # noqa: PLC0415 - what it needs is optional, and slow to import

    return SemanticCache(settings.semantic, file=config.home / FILE, body_key=body_key_of(config))
