"""The short way to write an answer's head says what uvicorn's long way says, and never takes what it would refuse."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from proxy.edge.exchange import AsgiExchange, Receive, Scope, Send
from proxy.edge.lean_head import cycle_of
from proxy.journey.call import Headers

HEADS: list[tuple[int, Headers, bytes]] = [
    (200, [(b"content-type", b"application/json"), (b"content-length", b"2")], b"{}"),
    (200, [(b"content-type", b"text/event-stream"), (b"x-tab", b"a\tb"), (b"x-high", b"\xe9")], b"data: 1\n\n"),
    (404, [], b"gone"),
    (204, [], b""),
    (599, [(b"content-length", b"0")], b""),
]


class Answers:
    """An app that answers as it is told; `lean` says which way was taken."""

    def __init__(self) -> None:
        self.head: tuple[int, Headers, bytes] = HEADS[0]
        self.long_way = False
        self.at_once = False
        self.fault = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = AsgiExchange(receive, send, {}, 100)
        assert cycle_of(receive) is not None
        if self.long_way:
            exchange._cycle = None
        status, headers, body = self.head
        try:
            if self.at_once:
                await exchange.answer(status, list(headers), body)
                return
            await exchange.start(status, list(headers))
        except RuntimeError as fault:
            self.fault = str(fault)
            raise
        await exchange.finish(body)


@pytest.fixture
def answers() -> Iterator[tuple[Answers, int]]:
    app = Answers()
    config = uvicorn.Config(
        app, http="httptools", lifespan="off", log_level="critical", date_header=False, server_header=False
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with asyncio.Runner() as runner:
            runner.run(server.serve(sockets=[listening]))

    thread = threading.Thread(target=serve)
    thread.start()
    yield app, listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()


def ask(port: int, method: str = "GET", more: str = "connection: close\r\n") -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"{method} / HTTP/1.1\r\nhost: x\r\n{more}\r\n".encode())
        client.settimeout(5)
        got = b""
        while chunk := client.recv(65536):
            got += chunk
    return got


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_ways_write_the_same_bytes(
    answers: tuple[Answers, int], head: tuple[int, Headers, bytes], method: str
) -> None:
    app, port = answers
    app.head = head
    said = []
    for app.long_way, app.at_once in ((True, False), (False, False), (True, True), (False, True)):
        answer = ask(port, method)
        lines, _, body = answer.partition(b"\r\n\r\n")
        said.append((lines.split(b"\r\n")[0], sorted(lines.split(b"\r\n")[1:]), body))
    assert said[0] == said[1] == said[2] == said[3]


@pytest.mark.parametrize("value", [b"a\r\nx-evil: 1", b"a\nb", b"a\rb", b"a\0b", b"a\x01b", b"a\x7fb"])
def test_a_value_that_would_begin_another_header_is_refused(answers: tuple[Answers, int], value: bytes) -> None:
    app, port = answers
    app.head = (200, [(b"x-model", value)], b"ok")
    assert b"evil" not in ask(port)
    assert app.fault == "Invalid HTTP header value."


def test_a_connection_goes_on_after_a_whole_answer(answers: tuple[Answers, int]) -> None:
    app, port = answers
    app.head, app.at_once = HEADS[0], True
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(5)
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            got = b""
            while not got.endswith(b"{}"):
                got += client.recv(65536)
            assert b"connection: close" not in got
