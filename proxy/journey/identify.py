"""identity: whose call is it?"""

from typing import Final

from proxy.core.clock import utc_second
from proxy.journey.call import Call, Exchange
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey

NS_PER_S: Final = 1_000_000_000


def identify(call: Call, exchange: Exchange, rooms: Rooms) -> Journey:
    """Begin the journey of a principal's call.

    Raises:
        Refused: INVALID_API_KEY, one generic text whatever is wrong with the key.
    """
    snapshot = rooms.snapshot()
    principal = snapshot.keyring.authenticate(call.secret, call.arrived_ns)
    at = utc_second(call.arrived_ns // NS_PER_S)
    journey = Journey(call, exchange, snapshot, principal, marked_ns=call.received_ns, at=at)
    if rooms.tracing is not None:
        journey.trace = rooms.tracing.begin(call.headers.get(b"traceparent"))
    journey.mark("identity", rooms.clock.monotonic_ns())
    return journey
