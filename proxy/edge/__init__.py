"""The edge: what clients of the data port touch, in raw ASGI."""

from proxy.edge.data_port import DataPort, EdgeLimits
from proxy.edge.health import Readiness
from proxy.edge.protocol import BoundedHttpProtocol

__all__ = ["BoundedHttpProtocol", "DataPort", "EdgeLimits", "Readiness"]
