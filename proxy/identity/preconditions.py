"""What a change may expect of the thing it changes, so that two people do not undo each other's work."""

from typing import Final

from proxy.identity.errors import IdentityError
from proxy.identity.records import ManagedBy

MUST_EXIST: Final = -1
MUST_NOT_EXIST: Final = 0
NEVER_MATCHES: Final = 2**62
"""A version that nothing is at."""


def check_version(what: str, found: int | None, expect: int | None) -> None:
    """Compare the version found (None = no such thing) with the one expected (None = any or none).

    Raises:
        IdentityError: `stale`.
    """
    if expect is None or expect == found:
        return
    if expect == MUST_NOT_EXIST:
        if found is not None:
            raise IdentityError("stale", f"{what} exists already")
    elif found is None:
        raise IdentityError("stale", f"{what} does not exist")
    elif expect != MUST_EXIST:
        raise IdentityError("stale", f"{what} has changed since: it is at version {found}, not {expect}")


def check_not_of_file(what: str, managed_by: ManagedBy) -> None:
    """Refuse to change by API what follows the file; raises `managed_by_file`."""
    if managed_by == "file":
        raise IdentityError("managed_by_file", f"{what} is managed by the configuration file; change it there")
