"""The headers of an answer: the provider's own, and what we say about the call (DESIGN §3)."""

from functools import lru_cache
from typing import Final

from proxy.budget import Balance, Granted, HoldLine, LineKind, Unit
from proxy.core.money import Nano, to_usd_text
from proxy.journey.caching.headers import cache_headers
from proxy.journey.call import Headers
from proxy.journey.limit_headers import limit_headers
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.journey.used import used
from proxy.upstream import UpstreamResponse, relayable

NS_PER_MS = 1_000_000
OWN_SCOPES = ("key:", "run:")
STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
_RATE: Final = LineKind.RATE
_USD: Final = Unit.USD


def answer_headers(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> Headers:
    """The provider's headers that may pass, then ours; the cost only when it is already known."""
    headers = relayable(response.headers)
    if not any(name == b"x-request-id" for name, _ in headers):
        headers.append((b"x-request-id", journey.call.operation.encode()))
    headers += our_headers(journey, rooms)
    return headers


def our_headers(journey: Journey, rooms: Rooms) -> Headers:
    """`x-flyball-*` and `server-timing`."""
    model = journey.candidate.model if journey.candidate else journey.request.model
    headers = [
        (b"x-flyball-operation", journey.call.operation.encode()),
        (b"x-flyball-model", header_text(model)),
        (b"x-flyball-overhead-ms", b"%.3f" % (overhead_ns(journey, rooms) / NS_PER_MS)),
        (b"server-timing", _server_timing(journey)),
    ]
    if not model:  # a carried call names none
        del headers[1]
    if journey.looked is not None and journey.looked.serves:
        headers += cache_headers(journey.looked)
    else:
        headers.append((b"x-flyball-cache-status", b"bypass" if journey.recalled is None else b"hit"))
    if journey.reason:
        headers.append((b"x-flyball-reason", header_text(journey.reason)))
    if journey.accounted and journey.cost is not None:
        headers.append((b"x-flyball-cost-usd", to_usd_text(journey.cost).encode()))
    if journey.granted is not None:
        _tell_what_is_left(headers, journey, journey.granted, rooms)
    return headers


def stream_headers(headers: Headers) -> Headers:
    """Add what keeps proxies on the way from buffering a stream, unless the provider said something.

    A length told beforehand is left out: what we take out of a stream or put into it would make it wrong.
    """
    names = {name for name, _ in headers}
    kept = [pair for pair in headers if pair[0] != b"content-length"]
    return kept + [pair for pair in STREAM_HEADERS if pair[0] not in names]


def overhead_ns(journey: Journey, rooms: Rooms) -> int:
    """Time since the call arrived that was not spent waiting, for the upstream, for a person or as a ladder says, in
    nanoseconds."""
    return overhead_of(journey, rooms.clock.monotonic_ns() - journey.call.received_ns)


def overhead_of(journey: Journey, total_ns: int) -> int:
    """The part of a call's time that is ours."""
    stages = journey.stages
    return max(0, total_ns - stages.get("upstream", 0) - stages.get("throttle", 0) - stages.get("approval", 0))


def header_text(text: str) -> bytes:
    """A text as a header value: printable ASCII, anything else written as a question mark."""
    if text.isascii() and text.isprintable():
        return text[:256].encode()
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text[:256]).encode()


def _server_timing(journey: Journey) -> bytes:
    stages = journey.stages
    return (_timing(tuple(stages)) % tuple([spent / NS_PER_MS for spent in stages.values()])).encode()


@lru_cache(maxsize=256)
def _timing(stages: tuple[str, ...]) -> str:
    """What `server-timing` looks like for these stages, of which most calls have the same."""
    return ", ".join([f"{stage};dur=%.3f" for stage in stages])


def _tell_what_is_left(headers: Headers, journey: Journey, granted: Granted, rooms: Rooms) -> None:
    """What the key's and the run's own dollars have left, and where the call's rate limits stand.

    Budgets of wider scopes are not told to clients; a client that is to keep to a rate must know it.
    """
    least: int | None = None
    rates: list[Balance] = []
    for balance in granted.balances:
        line = balance.line
        if line.kind is _RATE and line.hard:  # one that refuses nobody is nobody's to keep to
            rates.append(balance)
        elif line.unit is _USD and line.scope.startswith(OWN_SCOPES):
            left = line.limit - balance.spent - balance.held
            least = left if least is None or left < least else least
    if least is not None:
        if journey.accounted:
            least += granted.amount - (journey.cost or 0)
        headers.append((b"x-flyball-budget-remaining-usd", to_usd_text(Nano(max(0, least))).encode()))
    if rates:
        headers += limit_headers(_left_of(journey, rates), rooms.clock.now_ns())


def _left_of(journey: Journey, rates: list[Balance]) -> list[tuple[HoldLine, int]]:
    """What limits have left: beside the call's hold, or, once it is accounted for, beside what it used."""
    taken = (used(journey) or {}) if journey.accounted else {}
    left = []
    for line, spent, held in rates:
        back = 0
        if journey.accounted and line.amount is not None:
            back = line.amount - (0 if line.unit is Unit.SLOTS else taken.get(line.unit, line.amount))
        left.append((line, line.limit - spent - held + back))
    return left
