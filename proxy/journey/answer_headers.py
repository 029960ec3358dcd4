"""The headers of an answer: the provider's own, and what we say about the call (DESIGN §3)."""

from proxy.budget import Balance, HoldLine, Unit
from proxy.core.money import Nano, to_usd_text
from proxy.journey.call import Headers
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.upstream import UpstreamResponse, relayable

NS_PER_MS = 1_000_000
STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


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
        (b"x-flyball-cache-status", b"bypass"),
        (b"x-flyball-overhead-ms", b"%.3f" % (overhead_ns(journey, rooms) / NS_PER_MS)),
        (b"server-timing", _server_timing(journey)),
    ]
    if journey.accounted and journey.cost is not None:
        headers.append((b"x-flyball-cost-usd", to_usd_text(journey.cost).encode()))
    remaining = _own_remaining(journey)
    if remaining is not None:
        headers.append((b"x-flyball-budget-remaining-usd", to_usd_text(remaining).encode()))
    return headers


def stream_headers(headers: Headers) -> Headers:
    """Add what keeps proxies on the way from buffering a stream, unless the provider said something.

    A length told beforehand is left out: what we take out of a stream or put into it would make it wrong.
    """
    names = {name for name, _ in headers}
    kept = [pair for pair in headers if pair[0] != b"content-length"]
    return kept + [pair for pair in STREAM_HEADERS if pair[0] not in names]


def overhead_ns(journey: Journey, rooms: Rooms) -> int:
    """Time since the call arrived that was not spent waiting for the upstream, in nanoseconds."""
    total = rooms.clock.monotonic_ns() - journey.call.received_ns
    return max(0, total - journey.stages.get("upstream", 0))


def header_text(text: str) -> bytes:
    """A text as a header value: printable ASCII, anything else written as a question mark."""
    if text.isascii() and text.isprintable():
        return text[:256].encode()
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text[:256]).encode()


def _server_timing(journey: Journey) -> bytes:
    return b", ".join([b"%s;dur=%.3f" % (stage.encode(), spent / NS_PER_MS) for stage, spent in journey.stages.items()])


def _own_remaining(journey: Journey) -> Nano | None:
    """What the key's own budget has left; budgets of wider scopes are not told to clients."""
    if journey.granted is None:
        return None
    own = [balance for balance in journey.granted.balances if _tells_dollars(balance.line)]
    return min((_left(journey, balance) for balance in own), default=None)


def _tells_dollars(line: HoldLine) -> bool:
    return line.unit is Unit.USD and line.scope.startswith("key:")


def _left(journey: Journey, balance: Balance) -> Nano:
    left = balance.line.limit - balance.spent - balance.held
    if journey.accounted and journey.granted is not None:
        left += journey.granted.amount - (journey.cost or 0)
    return Nano(max(0, left))
