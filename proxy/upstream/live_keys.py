"""The two secrets that a provider may have at once, so that one can be exchanged while calls go on."""

import logging
from typing import Final, Literal, TypeAlias

KeyName: TypeAlias = Literal["api_key", "api_key_next"]

REFUSING: Final = frozenset({401, 403})
"""Statuses by which providers say that a key is not, or no longer, good."""
log = logging.getLogger("flyball.upstream")


class LiveKeys:
    """Which of a provider's keys is in use; it begins with `api_key`. `in_use` names it."""

    def __init__(self, provider: str, *, both: bool) -> None:
        self.in_use: KeyName = "api_key"
        self._provider = provider
        self._both = both

    def other(self, used: KeyName, status: int) -> KeyName | None:
        """The key to try once more with, after this one was answered so; None where there is no reason or no other."""
        if not self._both or status not in REFUSING:
            return None
        return "api_key_next" if used == "api_key" else "api_key"

    def settle(self, used: KeyName, status: int) -> None:
        """A second try has been answered so: the key of it stays in use unless it was refused as well."""
        if status in REFUSING or used == self.in_use:
            return
        log.warning(
            "the provider refused one key and took the other",
            extra={"provider": self._provider, "refused": self.in_use, "in_use": used},
        )
        self.in_use = used
