"""The processes of `flyball serve`: a supervisor, workers, one collector, one admin (DESIGN §1)."""

from proxy.processes.sockets import CannotListen
from proxy.processes.supervisor import AlreadyRunning, NotReady, Supervisor

__all__ = ["AlreadyRunning", "CannotListen", "NotReady", "Supervisor"]
