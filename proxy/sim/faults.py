"""What can be made to go wrong, and how it is asked for: `429=2`, `cut=200+no-usage`, …"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final


class UnknownFault(ValueError):
    """A fault nobody has heard of; the message lists those there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Everything that goes wrong with one answer; the default is nothing.

    Counts are of the answer's own bytes (`cut_at`, `close_at`), of its events (`stall_after`, `error_after`) or of
    tokens (`huge`); waits are in seconds and not scaled by the sim's speed.
    """

    status: int | None = None
    retry_after_s: int | None = None
    slow_s: float = 0.0
    stall_after: int | None = None
    cut_at: int | None = None
    close_at: int | None = None
    error_after: int | None = None
    no_usage: bool = False
    garbage: bool = False
    huge: int | None = None
    length_off_by: int = 0


NO_FAULTS: Final = Faults()

_FAULTS: Final[Mapping[str, Callable[[Faults, str], Faults]]] = MappingProxyType(
    {
        "slow": lambda faults, value: replace(faults, slow_s=float(value or 5)),
        "stall": lambda faults, value: replace(faults, stall_after=int(value or 3)),
        "cut": lambda faults, value: replace(faults, cut_at=int(value or 200)),
        "close": lambda faults, value: replace(faults, close_at=int(value or 200)),
        "error": lambda faults, value: replace(faults, error_after=int(value or 3)),
        "no-usage": lambda faults, _: replace(faults, no_usage=True),
        "garbage": lambda faults, _: replace(faults, garbage=True),
        "huge": lambda faults, value: replace(faults, huge=int(value or 100_000)),
        "length": lambda faults, value: replace(faults, length_off_by=int(value or 10)),
    }
)


def known_faults() -> tuple[str, ...]:
    """The names of all faults that are not a status."""
    return tuple(_FAULTS)


def parse_faults(text: str) -> Faults:
    """Read `fault[=value]` joined by `+`; a number from 400 to 599 is a status whose value is its retry-after.

    Raises:
        UnknownFault: a name or a value that cannot be read.
    """
    faults = NO_FAULTS
    for part in filter(None, text.split("+")):
        name, _, value = part.strip().partition("=")
        try:
            faults = _with(faults, name, value)
        except (ValueError, KeyError):
            known = ", ".join(known_faults())
            raise UnknownFault(f"{part!r} is not a fault; there are: a status from 400 to 599, {known}") from None
    return faults


def _with(faults: Faults, name: str, value: str) -> Faults:
    if not name.isdecimal():
        return _FAULTS[name](faults, value)
    status = int(name)
    if not 400 <= status <= 599:
        raise ValueError(name)
    return replace(faults, status=status, retry_after_s=int(value) if value else None)


_ERRORS: Final[Mapping[int, tuple[str, str | None, str]]] = MappingProxyType(
    {
        401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
        403: ("permission_error", "forbidden", "This project may not do that."),
        404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
        429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests per minute. Please try again later."),
        500: ("server_error", None, "The server had an error while processing your request."),
        503: ("server_error", "slow_down", "The engine is currently overloaded, please try again later."),
        529: ("overloaded_error", "overloaded", "Overloaded."),
    }
)


def error_of(status: int) -> dict[str, dict[str, str | None]]:
    """The error body a provider sends with this status."""
    kind, code, message = _ERRORS.get(status, ("invalid_request_error" if status < 500 else "server_error", None, ""))
    return {"error": {"message": message or f"Simulated status {status}.", "type": kind, "param": None, "code": code}}
