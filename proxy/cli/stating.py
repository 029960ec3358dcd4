"""What is said of a budget or rate limit on the command line, in the words of the admin API."""

import argparse
import re
from typing import Any, Final

_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RUNGS: Final = "AT:alert, AT:downgrade:ASKED=GIVEN[,…], AT:throttle:MILLISECONDS, AT:cache_only or AT:block"
_BUDGET_WINDOWS: Final = ("minute", "hour", "day", "week", "month", "quarter", "year", "rolling", "total")
_RATE_WINDOWS: Final = ("minute", "hour", "day", "rolling")


def add_statements(action: argparse.ArgumentParser, *, rate: bool) -> None:
    """The options of `set`; what is not said stays as it is, or takes its default where it is made."""
    action.add_argument("--scope", help="org:acme, team:acme/support, key:acme/support/bot, user:acme/* and so on")
    limit = action.add_mutually_exclusive_group()
    if rate:
        limit.add_argument("--limit-concurrent", type=int, metavar="N", help="calls under way at once")
    else:
        limit.add_argument("--limit-usd", metavar="USD", help="dollars, exact: 500 or 12.50")
    limit.add_argument("--limit-tokens", type=int, metavar="N", help="tokens in a window")
    limit.add_argument("--limit-requests", type=int, metavar="N", help="calls in a window")
    action.add_argument("--tokens", choices=("total", "input", "output"), help="which tokens --limit-tokens counts")
    action.add_argument("--window", choices=_RATE_WINDOWS if rate else _BUDGET_WINDOWS, help="how often it starts over")
    action.add_argument("--length", metavar="LENGTH", help="of a rolling window: 90m, 24h, 30d")
    action.add_argument("--timezone", help="the IANA timezone whose calendar cuts the window")
    action.add_argument(
        "--model", action="append", dest="models", metavar="PATTERN", help="count only such models; may be repeated"
    )
    action.add_argument(
        "--rung", action="append", dest="ladder", type=rung_of, metavar="RUNG", help=f"{_RUNGS}; may be repeated"
    )
    action.add_argument("--no-ladder", action="store_true", help="take its ladder away")
    action.add_argument("--enforcement", choices=("enforce", "observe"), help="observe counts and refuses nothing")
    if not rate:
        action.add_argument(
            "--hard", action=argparse.BooleanOptionalAction, default=None, help="refuse what does not fit"
        )
        action.add_argument(
            "--clamp", action=argparse.BooleanOptionalAction, default=None, help="lower a call's output to what fits"
        )
        action.add_argument("--opening-spent-usd", metavar="USD", help="spent in this window before Flyball counted")


def stated(options: argparse.Namespace) -> dict[str, Any]:
    """What was said, as a body; nothing of what was not."""
    names = (
        *("scope", "limit_usd", "limit_tokens", "limit_requests", "limit_concurrent", "tokens", "window", "length"),
        *("timezone", "models", "ladder", "enforcement", "hard", "clamp", "opening_spent_usd"),
    )
    body = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    if options.no_ladder:
        body["ladder"] = []
    if "window" in body and body["window"] != "rolling" and "length" not in body:
        body["length"] = ""
    return body


def rung_of(text: str) -> dict[str, Any]:
    """One rung as `0.9:downgrade:gpt-*=fast` says it.

    Raises:
        argparse.ArgumentTypeError: it does not look like one.
    """
    at, _, rest = text.partition(":")
    do, _, more = rest.partition(":")
    rung: dict[str, Any] = {"at": at, "do": do}
    if do == "downgrade":
        pairs = [pair.partition("=") for pair in more.split(",")]
        if not all(asked and given for asked, _, given in pairs):
            raise argparse.ArgumentTypeError(f"{text!r} does not say which models give way to which: {_RUNGS}")
        rung["to"] = {asked: given for asked, _, given in pairs}
    elif do == "throttle":
        if not more.isdigit():
            raise argparse.ArgumentTypeError(f"{text!r} does not say by how many milliseconds: {_RUNGS}")
        rung["delay_ms"] = int(more)
    elif do not in ("alert", "cache_only", "block") or more:
        raise argparse.ArgumentTypeError(f"{text!r} is no rung: {_RUNGS}")
    return rung


def length_of(text: str) -> int:
    """The seconds of a length such as 90m, 24h or 7d.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length; write it like 90m, 24h or 7d")
    return int(match[1]) * _SECONDS[match[2]]
