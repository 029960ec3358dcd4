"""The processes of `flyball serve`: a supervisor, workers, one collector, one admin (DESIGN §1)."""

from proxy.processes.locks import AlreadyRunning
from proxy.processes.sockets import CannotListen
from proxy.processes.supervisor import Supervisor
from proxy.processes.usable import NotReady

__all__ = ["AlreadyRunning", "CannotListen", "NotReady", "Supervisor"]
