"""The listening sockets that the supervisor opens and keeps, so that no connection is lost while a process restarts."""

import errno
import socket
from typing import Final

BACKLOG: Final = 2048
# An address that stands for all of this host's is none to call, and the admin port does not answer to it.
_ALL: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class CannotListen(OSError):
    """An address that cannot be listened on; the message says why and what to change."""


def open_listeners(address: str, count: int, setting: str) -> list[socket.socket]:
    """`count` sockets on one address: the kernel spreads connections over them (SO_REUSEPORT).

    Raises:
        CannotListen: the address is taken or not ours; `setting` names what to change.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        # Without SO_REUSEPORT first: another server that shares its port would silently get half of our calls.
        with _bound(host, int(port), shared=False) as probe:
            free_port = probe.getsockname()[1]
        return [_listening(host, free_port) for _ in range(count)]
    except OSError as error:
        raise CannotListen(_explain(error, host, port, setting)) from error


def shown(listener: socket.socket) -> str:
    """An address as it stands in a URL that this host can call."""
    host, port = listener.getsockname()[:2]
    return callable_at(host, port)


def callable_at(host: str, port: int | str) -> str:
    """The same of a host and a port; where a server listens on all addresses it is called on the loopback one."""
    host = _ALL.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _listening(host: str, port: int) -> socket.socket:
    listener = _bound(host, port, shared=True)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def _explain(error: OSError, host: str, port: str, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is taken by another program; set {setting} to another address, or to port 0"
    if error.errno == errno.EACCES:
        return f"{host}:{port} may not be opened by this user; set {setting} to a port above 1023"
    return f"{host}:{port} cannot be listened on ({error.strerror}); set {setting} to an address of this machine"
