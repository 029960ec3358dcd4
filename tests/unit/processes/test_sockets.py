"""The listening sockets: spread over processes, never shared with another program, errors that say what to change."""

import socket

import pytest

from proxy.processes.sockets import CannotListen, open_listeners, shown


def test_all_listen_on_one_free_port() -> None:
    listeners = open_listeners("127.0.0.1:0", 3, "server.listen")
    try:
        assert len({shown(listener) for listener in listeners}) == 1
        assert not any(listener.getblocking() for listener in listeners)
        with socket.create_connection(listeners[0].getsockname(), timeout=5):
            pass
    finally:
        for listener in listeners:
            listener.close()


def test_a_port_that_another_holds_is_not_shared_with_it() -> None:
    """Even when the other one allows sharing: the kernel would give it half of our calls."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"127.0.0.1:{port} is taken by another program; set server.listen"):
            open_listeners(f"127.0.0.1:{port}", 1, "server.listen")


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:0 cannot be listened on \(.+\); set server.admin_listen"):
        open_listeners("192.0.2.1:0", 1, "server.admin_listen")


def test_an_ipv6_address_is_shown_as_in_a_url() -> None:
    (listener,) = open_listeners("[::1]:0", 1, "server.listen")
    with listener:
        assert shown(listener) == f"[::1]:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("listened", "called"), [("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]")])
def test_what_listens_on_all_addresses_is_called_on_the_loopback_one(listened: str, called: str) -> None:
    # Else `flyball console` and all other verbs would ask a Host that the admin port does not answer to.
    (listener,) = open_listeners(f"{listened}:0", 1, "server.admin_listen")
    with listener:
        assert shown(listener) == f"{called}:{listener.getsockname()[1]}"
