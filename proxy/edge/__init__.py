"""The edge: what clients of the data port touch, in raw ASGI."""

from proxy.edge.data_port import DataPort, EdgeLimits
from proxy.edge.health import Readiness
from proxy.edge.protocol import BoundedHttpProtocol
from proxy.edge.socket_protocol import MAX_MESSAGE_BYTES, RealtimeSocketProtocol

__all__ = [
    "MAX_MESSAGE_BYTES",
    "BoundedHttpProtocol",
    "DataPort",
    "EdgeLimits",
    "Readiness",
    "RealtimeSocketProtocol",
]
