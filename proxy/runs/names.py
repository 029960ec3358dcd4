"""Which headers name a call's run beside our own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from proxy.runs.settings import RunSettings

Aliases: TypeAlias = tuple[tuple[bytes, str], ...]
"""Lower-case header names with what a row's `run_source` calls them."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_SECRETS: Final = frozenset(
    {"authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"}
)


class BadAlias(ValueError):
    """A header that can name no run."""


@dataclass(frozen=True, slots=True)
class RunNames:
    """The headers that are asked, in their order, and whether a run is made up where none names one."""

    aliases: Aliases = ()
    parent_aliases: Aliases = ()
    derives: bool = False

    @classmethod
    def of(cls, settings: RunSettings) -> "RunNames":
        """The headers that the settings name.

        Raises:
            BadAlias: a name that is no header's, is ours, or is a secret's: runs are written into every row.
        """
        return cls(_aliases(settings.aliases), _aliases(settings.parent_aliases), settings.derive)


NO_RUN_NAMES: Final = RunNames()


def _aliases(names: Sequence[str]) -> Aliases:
    return tuple((read_alias(name).encode(), name.lower()) for name in names)


def read_alias(name: str) -> str:
    """A header's name as it arrives.

    Raises:
        BadAlias: as above.
    """
    lower = name.lower()
    if not _HEADER.fullmatch(lower):
        raise BadAlias(f"{name!r} is no header's name")
    if lower in _SECRETS or lower.startswith("x-flyball-"):
        raise BadAlias(f"{name!r} has a meaning of its own and names no run")
    return lower
